import * as fc from 'fast-check';
import { fstatSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeFile, encodeFileName } from './file-packet.ts';
import { sendmsg } from './libc/sendmsg.ts';
import { openFd } from './open-fd.ts';
import { receiveFileBlocking } from './receive-file-blocking.ts';
import { receiveFile } from './receive-file.ts';
import { sendFileBlocking } from './send-file-blocking.ts';
import { sendFile } from './send-file.ts';
import { SeqpacketSocket } from './seqpacket-socket.ts';
import { socketpair } from './socketpair.ts';
import { withoutFdLeak } from './testing/without-fd-leak.ts';

async function withPair(
  body: (a: SeqpacketSocket, b: SeqpacketSocket) => Promise<void>,
): Promise<void> {
  await withoutFdLeak(async () => {
    const [a, b] = socketpair('seqpacket').map((owned) => new SeqpacketSocket(owned));
    try {
      await body(a!, b!);
    } finally {
      a!.close();
      b!.close();
    }
  });
}

describe('sendFile and receiveFile', () => {
  it.each(['', '/dev/ptmx', 'ünïcode/🚦', 'x'.repeat(4095)])(
    'receiveFile gets the file and the name %j',
    async (name) => {
      await withPair(async (a, b) => {
        using file = openFd('/dev/null', 0);
        await sendFile(a, name, file);
        const received = await receiveFile(b);
        expect(received.name).toBe(name);
        expect(Buffer.from(received.nameBytes).toString()).toBe(name);
        expect(fstatSync(received.fd.fd).rdev).toBe(fstatSync(file.fd).rdev);
        received.fd.close();
      });
    },
  );

  it('sendFile refuses a name of 4096 bytes and one with a NUL before sending', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      await expect(sendFile(a, 'x'.repeat(4096), file)).rejects.toMatchObject({
        code: 'ERR_SCM_FILE_NAME_TOO_LONG',
      });
      await expect(sendFile(a, 'a\0b', file)).rejects.toMatchObject({
        code: 'ERR_SCM_INVALID_STRING',
      });
      a.close();
      expect(await b.receive()).toBeUndefined();
    });
  });

  it.each([0, 2, 3])('receiveFile refuses %i descriptors and closes them all', async (count) => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      await a.send(new Uint8Array(1), Array(count).fill(file));
      await expect(receiveFile(b)).rejects.toMatchObject({ code: 'ERR_SCM_UNEXPECTED_FDS' });
    });
  });

  it('receiveFile refuses a name of 4096 bytes and closes the descriptor', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      await a.send(new Uint8Array(4096).fill(120), [file]);
      await expect(receiveFile(b)).rejects.toMatchObject({ code: 'ERR_SCM_FILE_NAME_TOO_LONG' });
    });
  });

  it('receiveFile reports a peer that closed instead', async () => {
    await withPair(async (a, b) => {
      a.close();
      await expect(receiveFile(b)).rejects.toMatchObject({ code: 'ERR_SCM_UNEXPECTED_EOF' });
    });
  });
});

describe('sendFileBlocking and receiveFileBlocking', () => {
  it.each(['stream', 'seqpacket'] as const)('pass a file over a %s socket', async (type) => {
    await withoutFdLeak(() => {
      const [a, b] = socketpair(type);
      using _a = a;
      using _b = b;
      using file = openFd('/dev/null', 0);
      sendFileBlocking(a.fd, 'standard', file.fd);
      const received = receiveFileBlocking(b.fd);
      expect(received.name).toBe('standard');
      received.fd.close();
      sendmsg(a.fd, new Uint8Array(1), { fds: [file.fd, file.fd] });
      expect(() => receiveFileBlocking(b.fd)).toThrow(/expected 1 descriptors, received 2/);
      a.close();
      expect(() => receiveFileBlocking(b.fd)).toThrow(/the peer closed/);
    });
  });
});

describe('encodeFileName', () => {
  it('decodeFile gives back every name that encodeFileName takes', () => {
    const name = fc
      .string({ unit: 'binary', maxLength: 1000 })
      .filter(
        (value) => value.isWellFormed() && !value.includes('\0') && !value.startsWith('\uFEFF'),
      );
    fc.assert(
      fc.property(name, (value) => {
        using file = openFd('/dev/null', 0);
        expect(decodeFile(encodeFileName(value), [file]).name).toBe(value);
      }),
    );
  });

  it('decodeFile takes off the NUL that old peers append, and no more', () => {
    using file = openFd('/dev/null', 0);
    const payload = new TextEncoder().encode('[master-pty]\0');
    expect(decodeFile(payload, [file]).name).toBe('[master-pty]');
  });
});
