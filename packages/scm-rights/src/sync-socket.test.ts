import { fstatSync } from 'node:fs';
import { syncChannelCompliance } from '@pilotlight/sync/testing';
import { describe, expect, it } from 'vitest';
import { openFd } from './open-fd.ts';
import type { OwnedFd } from './owned-fd.ts';
import { sendFileBlocking } from './send-file-blocking.ts';
import { SeqpacketSocket } from './seqpacket-socket.ts';
import { socketpair } from './socketpair.ts';
import { sendmsg } from './libc/sendmsg.ts';
import { memfdCreate } from './libc/memfd-create.ts';
import { OwnedFd as Owned } from './owned-fd.ts';
import { SyncSocket } from './sync-socket.ts';
import { countOpenFds } from './testing/open-fds.ts';
import { withoutFdLeak } from './testing/without-fd-leak.ts';

const MOUNT_FD = { type: 'procMountFd', flags: 1, arg: '{"type":"plain-open"}' } as const;

syncChannelCompliance<OwnedFd>(
  {
    name: 'SyncSocket',
    openFiles: () => countOpenFds(),
    makePair: () => {
      const [a, b] = socketpair('seqpacket');
      const parent = new SyncSocket(a);
      const child = new SyncSocket(b);
      return {
        parent,
        child,
        makeFile: () => new Owned(memfdCreate('compliance')),
        sameFile: (one, other) => fstatSync(one.fd).ino === fstatSync(other.fd).ino,
        closeFile: (file) => file.close(),
        sendRaw: (bytes, file) => {
          sendmsg(b.fd, bytes);
          if (file !== undefined) sendFileBlocking(b.fd, '', file.fd);
        },
        dispose: () => {
          parent.close();
          child.close();
        },
      };
    },
  },
  { describe, it, expect },
);

async function withPair(
  body: (sender: SyncSocket, receiver: SyncSocket, senderFd: number) => Promise<void>,
): Promise<void> {
  const [a, b] = socketpair('seqpacket');
  const sender = new SyncSocket(a);
  const receiver = new SyncSocket(b);
  try {
    await withoutFdLeak(() => body(sender, receiver, a.fd));
  } finally {
    sender.close();
    receiver.close();
  }
}

describe('SyncSocket', () => {
  it('SyncSocket passes the name of a file', async () => {
    await withPair(async (sender, receiver) => {
      using file = openFd('/proc/self/status', 0);
      await sender.send(MOUNT_FD, { name: '/mnt/ä', fd: file });
      const received = await receiver.receive();
      expect(received?.fileName).toBe('/mnt/ä');
      received?.file?.close();
    });
  });

  it('SyncSocket.send sends nothing when the file cannot be sent', async () => {
    await withPair(async (sender, receiver) => {
      const closed = openFd('/proc/self/status', 0);
      closed.close();
      await expect(sender.send(MOUNT_FD, closed)).rejects.toMatchObject({
        code: 'ERR_SCM_FD_CLOSED',
      });
      using file = openFd('/proc/self/status', 0);
      await expect(
        sender.send(MOUNT_FD, { name: 'x'.repeat(4096), fd: file }),
      ).rejects.toMatchObject({ code: 'ERR_SCM_FILE_NAME_TOO_LONG' });
      await expect(sender.send(MOUNT_FD, { name: 'x', fd: 1_000_000 })).rejects.toMatchObject({
        code: 'EBADF',
      });
      await sender.send({ type: 'procRun', flags: 0 });
      expect(await receiver.receive()).toEqual({ message: { type: 'procRun', flags: 0 } });
    });
  });

  it('SyncSocket.receive keeps a message whose receive was aborted between packet and file', async () => {
    await withPair(async (_sender, receiver, senderFd) => {
      const abort = new AbortController();
      const first = receiver.receive({ signal: abort.signal });
      sendmsg(senderFd, new TextEncoder().encode(JSON.stringify({ ...MOUNT_FD, arg: {} })));
      // The packet is taken as soon as this turn of the event loop allows; the file is not there yet.
      await new Promise((resolve) => setTimeout(resolve, 50));
      abort.abort();
      await expect(first).rejects.toMatchObject({ name: 'AbortError' });
      using file = openFd('/proc/self/status', 0);
      sendFileBlocking(senderFd, 'late', file.fd);
      const received = await receiver.receive();
      expect(received?.fileName).toBe('late');
      received?.file?.close();
    });
  });

  it('SyncSocket.receive closes descriptors that come with the message itself', async () => {
    await withPair(async (_sender, receiver, senderFd) => {
      using file = openFd('/proc/self/status', 0);
      const bytes = new TextEncoder().encode('{"type":"procReady","flags":0}');
      sendmsg(senderFd, bytes, { fds: [file.fd, file.fd] });
      await expect(receiver.receive()).rejects.toMatchObject({ code: 'ERR_SYNC_MALFORMED_PACKET' });
    });
  });

  it('SyncSocket.receive closes all of several descriptors sent as one file', async () => {
    await withPair(async (_sender, receiver, senderFd) => {
      using file = openFd('/proc/self/status', 0);
      sendmsg(senderFd, new TextEncoder().encode(JSON.stringify({ ...MOUNT_FD, arg: {} })));
      sendmsg(senderFd, new Uint8Array(1), { fds: [file.fd, file.fd] });
      await expect(receiver.receive()).rejects.toMatchObject({
        code: 'ERR_SYNC_MALFORMED_PACKET',
        cause: { code: 'ERR_SCM_UNEXPECTED_FDS' },
      });
    });
  });

  it('SyncSocket refuses a stream socket', () => {
    const [a, b] = socketpair('stream');
    expect(() => new SyncSocket(a)).toThrow(/SOCK_SEQPACKET/);
    expect(() => new SeqpacketSocket(b)).toThrow(/SOCK_SEQPACKET/);
    a.close();
    b.close();
  });
});
