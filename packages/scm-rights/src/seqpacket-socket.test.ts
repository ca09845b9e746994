import { execFile } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { closeAll } from './close-all.ts';
import { isSyscallError } from './errors.ts';
import { fcntlGetfd } from './libc/fcntl.ts';
import { loadLibc } from './libc/library.ts';
import { pipe2 } from './libc/pipe2.ts';
import { read } from './libc/read.ts';
import { recvmsg } from './libc/recvmsg.ts';
import { sendmsg } from './libc/sendmsg.ts';
import { write } from './libc/write.ts';
import { openFd } from './open-fd.ts';
import { OwnedFd } from './owned-fd.ts';
import { NOTHING_YET, SeqpacketSocket } from './seqpacket-socket.ts';
import { socketpair } from './socketpair.ts';
import { withoutFdLeak } from './testing/without-fd-leak.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (packet: { bytes: Uint8Array } | undefined): string | undefined =>
  packet && new TextDecoder().decode(packet.bytes);

async function withPair(
  body: (a: SeqpacketSocket, b: SeqpacketSocket) => Promise<void>,
): Promise<void> {
  // The shared readiness keeps its descriptors: let it open them before anything is counted.
  const [x, y] = socketpair('seqpacket').map((owned) => new SeqpacketSocket(owned));
  const waiting = x!.receive();
  y!.close();
  await waiting;
  x!.close();
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

describe('SeqpacketSocket', () => {
  it('SeqpacketSocket keeps packet boundaries and order', async () => {
    await withPair(async (a, b) => {
      const sizes = [1, 300, 65_536, 200_000, 2];
      const receives = sizes.map(() => b.receive());
      for (const size of sizes) await a.send(new Uint8Array(size));
      const packets = await Promise.all(receives);
      expect(packets.map((packet) => packet?.bytes.length)).toEqual(sizes);
    });
  });

  it('SeqpacketSocket passes a working, close-on-exec descriptor', async () => {
    await withPair(async (a, b) => {
      const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
      await a.send(bytes('pipe'), [writer!]);
      writer!.close();
      const packet = await b.receive();
      using passed = packet!.fds[0]!;
      expect(fcntlGetfd(passed.fd)).toBe(1);
      write(passed.fd, bytes('through'));
      const buffer = new Uint8Array(16);
      expect(read(reader!.fd, buffer)).toBe(7);
      reader!.close();
    });
  });

  it('SeqpacketSocket passes 253 descriptors and refuses 254 before sending', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      const many = Array.from({ length: 254 }, () => file);
      await expect(a.send(bytes('x'), many)).rejects.toMatchObject({
        code: 'ERR_SCM_TOO_MANY_FDS',
      });
      expect(b.tryReceive()).toBe(NOTHING_YET);
      await a.send(bytes('x'), many.slice(1));
      const packet = await b.receive();
      expect(packet?.fds).toHaveLength(253);
      expect(packet?.fds.every(({ fd }) => fstatSync(fd).isCharacterDevice())).toBe(true);
      closeAll(packet?.fds ?? []);
    });
  });

  it('SeqpacketSocket passes any number of descriptors up to maxFds, odd or even', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      for (let count = 0; count <= 6; count += 1) {
        await a.send(bytes('x'), Array(count).fill(file));
        const packet = await b.receive({ maxFds: count });
        expect(packet?.fds).toHaveLength(count);
        closeAll(packet?.fds ?? []);
      }
    });
  });

  it.each([
    [0, 1, 0],
    [1, 2, 1],
    [2, 3, 2],
  ])(
    'SeqpacketSocket.receive with maxFds %i closes what it got of %i and goes on',
    async (maxFds, sent, received) => {
      await withPair(async (a, b) => {
        using file = openFd('/dev/null', 0);
        await a.send(bytes('lost'), Array(sent).fill(file));
        await a.send(bytes('next'));
        await expect(b.receive({ maxFds })).rejects.toMatchObject({
          code: 'ERR_SCM_CONTROL_TRUNCATED',
          received,
        });
        expect(text(await b.receive())).toBe('next');
      });
    },
  );

  it('SeqpacketSocket.receive closes what it got when RLIMIT_NOFILE is exhausted', async () => {
    const program = new URL('../test/fixtures/exhaust-descriptors.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=@pilotlight/source',
      program,
    ]);
    expect(JSON.parse(stdout)).toEqual({
      code: 'ERR_SCM_CONTROL_TRUNCATED',
      received: 2,
      leaked: 0,
    });
  });

  it('SeqpacketSocket.send refuses an empty packet', async () => {
    await withPair(async (a) => {
      await expect(a.send(new Uint8Array(0))).rejects.toMatchObject({
        code: 'ERR_SCM_EMPTY_PACKET',
      });
    });
  });

  it('SeqpacketSocket.send names the size of a packet that cannot fit', async () => {
    await withPair(async (a) => {
      await expect(a.send(new Uint8Array(4_000_000))).rejects.toMatchObject({
        code: 'ERR_SCM_PACKET_TOO_LARGE',
        size: 4_000_000,
        cause: { code: 'EMSGSIZE' },
      });
    });
  });

  it('SeqpacketSocket.send waits for room, in order, and loses nothing', async () => {
    await withPair(async (a, b) => {
      const count = 60;
      let sent = 0;
      const sends = Array.from({ length: count }, async (_, index) => {
        const packet = new Uint8Array(20_000);
        packet[0] = index;
        await a.send(packet);
        sent += 1;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent).toBeLessThan(count);
      for (let index = 0; index < count; index += 1) {
        expect((await b.receive())?.bytes[0]).toBe(index);
      }
      await Promise.all(sends);
    });
  });

  it('SeqpacketSocket.send that waits can be aborted and leaves later ones their turn', async () => {
    await withPair(async (a, b) => {
      while (trySend(a)) await Promise.resolve();
      const abort = new AbortController();
      const blocked = a.send(new Uint8Array(100_000), [], { signal: abort.signal });
      const behind = a.send(bytes('behind'));
      abort.abort(new Error('enough'));
      await expect(blocked).rejects.toThrow('enough');
      let last: string | undefined;
      do last = text(await b.receive());
      while (last !== 'behind');
      await behind;
    });
  });

  it('SeqpacketSocket.send that waits rejects when the socket is closed', async () => {
    await withPair(async (a) => {
      while (trySend(a)) await Promise.resolve();
      const blocked = a.send(new Uint8Array(100_000));
      a.close();
      await expect(blocked).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
      await expect(a.send(bytes('x'))).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
    });
  });

  it('SeqpacketSocket.send to a peer that is gone fails with EPIPE', async () => {
    await withPair(async (a, b) => {
      b.close();
      await expect(a.send(bytes('x'))).rejects.toMatchObject({ code: 'EPIPE', syscall: 'sendmsg' });
    });
  });

  it('SeqpacketSocket.receive gives undefined at end of file, again and again', async () => {
    await withPair(async (a, b) => {
      await a.send(bytes('last'));
      a.close();
      expect(text(await b.receive())).toBe('last');
      expect(await b.receive()).toBeUndefined();
      expect(await b.receive()).toBeUndefined();
      expect(b.tryReceive()).toBeUndefined();
    });
  });

  it('SeqpacketSocket.endSending gives the peer end of file and keeps receiving', async () => {
    await withPair(async (a, b) => {
      a.endSending();
      expect(await b.receive()).toBeUndefined();
      await b.send(bytes('answer'));
      expect(text(await a.receive())).toBe('answer');
    });
  });

  it('SeqpacketSocket.receive takes a reset for end of file, after what the peer had sent', async () => {
    await withPair(async (a, b) => {
      await a.send(bytes('never read'));
      await b.send(bytes('last words'));
      b.close();
      expect(text(await a.receive())).toBe('last words');
      expect(await a.receive()).toBeUndefined();
      expect(await a.receive()).toBeUndefined();
    });
  });

  it('SeqpacketSocket.receive is aborted alone and loses no packet', async () => {
    await withPair(async (a, b) => {
      const abort = new AbortController();
      const first = b.receive({ signal: abort.signal });
      const second = b.receive();
      abort.abort(new Error('enough'));
      await expect(first).rejects.toThrow('enough');
      await a.send(bytes('for the second'));
      expect(text(await second)).toBe('for the second');
      await expect(b.receive({ signal: abort.signal })).rejects.toThrow('enough');
    });
  });

  it('SeqpacketSocket.receive works again after all receives were aborted', async () => {
    await withPair(async (a, b) => {
      const abort = new AbortController();
      const first = b.receive({ signal: abort.signal });
      abort.abort(new Error('enough'));
      const second = b.receive();
      await expect(first).rejects.toThrow('enough');
      await a.send(bytes('here'));
      expect(text(await second)).toBe('here');
    });
  });

  it('SeqpacketSocket.close rejects pending receives and is done once', async () => {
    await withPair(async (_a, b) => {
      const pending = [b.receive(), b.receive()];
      b.close();
      b.close();
      for (const receive of pending) {
        await expect(receive).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
      }
      await expect(b.receive()).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
      expect(() => b.tryReceive()).toThrow(/closed on this side/);
    });
  });

  it('SeqpacketSocket.tryReceive returns at once and does not overtake a pending receive', async () => {
    await withPair(async (a, b) => {
      expect(b.tryReceive()).toBe(NOTHING_YET);
      const pending = b.receive();
      await a.send(bytes('one'));
      expect(b.tryReceive()).toBe(NOTHING_YET);
      expect(text(await pending)).toBe('one');
      await a.send(bytes('two'));
      const got = b.tryReceive();
      expect(got === NOTHING_YET ? got : text(got)).toBe('two');
    });
  });

  it('SeqpacketSocket.close lets the kernel close the descriptors of unread packets', async () => {
    await withPair(async (a, b) => {
      const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
      await a.send(bytes('x'), [writer!]);
      writer!.close();
      b.close();
      // The copy in the queue was the last writing end.
      expect(read(reader!.fd, new Uint8Array(1))).toBe(0);
      reader!.close();
    });
  });
});

describe('recvmsg', () => {
  it('recvmsg collects the descriptors of two SCM_RIGHTS headers', async () => {
    const [a, b] = socketpair('seqpacket');
    using _a = a;
    using _b = b;
    using file = openFd('/dev/null', 0);
    sendTwoHeaders(a.fd, file.fd);
    const { fds, length } = recvmsg(b.fd, new Uint8Array(8));
    expect([length, fds.length]).toEqual([1, 2]);
    closeAll(fds);
  });

  it('recvmsg closes the descriptors that SO_PASSPIDFD adds', async () => {
    const SO_PASSPIDFD = 76;
    await withoutFdLeak(() => {
      const [a, b] = socketpair('seqpacket');
      using _a = a;
      using _b = b;
      using file = openFd('/dev/null', 0);
      const setsockopt = loadLibc().func('setsockopt', 'int', [
        'int',
        'int',
        'int',
        'void *',
        'uint',
      ]);
      expect(setsockopt(b.fd, 1, SO_PASSPIDFD, new Int32Array([1]), 4)).toBe(0);
      sendmsg(a.fd, bytes('x'), { fds: [file.fd] });
      const { fds } = recvmsg(b.fd, new Uint8Array(1));
      expect(fds).toHaveLength(1);
      closeAll(fds);
    });
  });

  it('recvmsg refuses an impossible number of descriptors', () => {
    expect(() => recvmsg(0, new Uint8Array(1), { maxFds: 254 })).toThrow(/maxFds/);
  });

  it('sendmsg and recvmsg report EAGAIN and EBADF as SyscallError', () => {
    const [a, b] = socketpair('seqpacket');
    using _a = a;
    using _b = b;
    expect(() => recvmsg(b.fd, new Uint8Array(1), { flags: 0x40 })).toThrow(
      /recvmsg fd \d+: EAGAIN/,
    );
    expect(() => sendmsg(1_000_000, new Uint8Array(1))).toThrow(/sendmsg fd 1000000: EBADF/);
  });
});

/** Sends as much as goes in without waiting. */
function trySend(socket: SeqpacketSocket): boolean {
  try {
    return sendmsg(socket.fd, new Uint8Array(10_000)) > 0;
  } catch (error) {
    if (isSyscallError(error, 'EAGAIN')) return false;
    throw error;
  }
}

/** One message with two SCM_RIGHTS headers of one descriptor each. */
function sendTwoHeaders(socket: number, fd: number): void {
  const libc = loadLibc();
  const payload = Buffer.alloc(1);
  const control = Buffer.alloc(48);
  for (const offset of [0, 24]) {
    control.writeBigUInt64LE(20n, offset);
    control.writeInt32LE(1, offset + 8);
    control.writeInt32LE(1, offset + 12);
    control.writeInt32LE(fd, offset + 16);
  }
  const iovec = Buffer.alloc(16);
  iovec.writeBigUInt64LE(libc.address(payload), 0);
  iovec.writeBigUInt64LE(1n, 8);
  const header = Buffer.alloc(56);
  header.writeBigUInt64LE(libc.address(iovec), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(libc.address(control), 32);
  header.writeBigUInt64LE(48n, 40);
  const call = libc.func('sendmsg', 'long', ['int', 'void *', 'int']);
  expect(call(socket, header, 0)).toBe(1);
}
