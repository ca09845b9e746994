import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeAll } from '../close-all.ts';
import { connectStream } from '../connect/connect-stream.ts';
import { fcntlGetfd } from '../libc/fcntl.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { read } from '../libc/read.ts';
import { write } from '../libc/write.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { pidfdInode } from '../pidfd/pidfd-inode.ts';
import { pidfdOpen } from '../pidfd/pidfd-open.ts';
import { Readiness } from '../readiness/readiness.ts';
import { socketpair } from '../socketpair.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { UnixStream, type UnixStreamOptions } from './unix-stream.ts';

async function withPair(
  body: (a: UnixStream, b: UnixStream) => Promise<void>,
  options: UnixStreamOptions = {},
): Promise<void> {
  await withoutFdLeak(async () => {
    const readiness = new Readiness();
    const [a, b] = UnixStream.pair({ ...options, readiness });
    try {
      await body(a, b);
    } finally {
      for (const stream of [a, b]) {
        if (!stream.closed) {
          stream.destroy();
          await once(stream, 'close');
        }
      }
      await readiness.close();
    }
  });
}

/** Everything that comes with descriptors, which the caller closes. */
function collectFds(stream: UnixStream): OwnedFd[] {
  const all: OwnedFd[] = [];
  stream.on('fds', (fds: OwnedFd[]) => all.push(...fds));
  return all;
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('UnixStream', () => {
  it('UnixStream is an ordinary Duplex: everything arrives in order, ends, and closes', async () => {
    await withPair(async (a, b) => {
      const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
      const receiving = buffer(b);
      for (let at = 0; at < sent.length; at += 100_000) {
        if (!a.write(sent.subarray(at, at + 100_000))) await once(a, 'drain');
      }
      a.resume().end();
      expect((await receiving).equals(sent)).toBe(true);
      if (!a.closed) await once(a, 'close');
      expect([a.errored, b.errored]).toEqual([null, null]);
    });
  });

  it('UnixStream.writeWithFds hands over working, close-on-exec descriptors before their bytes', async () => {
    await withPair(async (a, b) => {
      const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
      const order: string[] = [];
      const passed: OwnedFd[] = [];
      b.on('fds', (fds: OwnedFd[]) => {
        order.push('fds');
        passed.push(...fds);
      });
      b.on('data', (chunk: Buffer) => order.push(chunk.toString()));
      expect(a.writeWithFds(Buffer.from('take it'), [writer!])).toBe(true);
      // It was sent at once, or a copy is kept: the caller's own is no longer needed.
      writer!.close();
      await once(b, 'data');
      expect(order).toEqual(['fds', 'take it']);
      expect(fcntlGetfd(passed[0]!.fd)).toBe(1);
      write(passed[0]!.fd, Buffer.from('x'));
      expect(read(reader!.fd, new Uint8Array(4))).toBe(1);
      closeAll([...passed, reader!]);
    });
  });

  it('UnixStream.writeWithFds passes 253 descriptors and refuses 254 before writing', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      const many = Array.from({ length: 254 }, () => file);
      expect(() => a.writeWithFds(Buffer.from('x'), many)).toThrow(
        expect.objectContaining({ code: 'ERR_SCM_TOO_MANY_FDS' }),
      );
      const received = collectFds(b);
      a.writeWithFds(Buffer.from('y'), many.slice(1));
      a.end();
      expect(await text(b)).toBe('y');
      expect(received).toHaveLength(253);
      expect(received.every(({ fd }) => fstatSync(fd).isCharacterDevice())).toBe(true);
      closeAll(received);
    });
  });

  it.each([
    [
      'no bytes',
      (a: UnixStream, fd: number) => a.writeWithFds(new Uint8Array(0), [fd]),
      'ERR_SCM_INVALID_ARGUMENT',
    ],
    [
      'a number that is no descriptor',
      (a: UnixStream) => a.writeWithFds(Buffer.from('x'), [-1]),
      'ERR_SCM_INVALID_FD',
    ],
    [
      'a number that is not open',
      (a: UnixStream) => a.writeWithFds(Buffer.from('x'), [999_999]),
      'EBADF',
    ],
  ])('UnixStream.writeWithFds refuses %s and has written nothing', async (_name, action, code) => {
    await withPair(async (a, b) => {
      expect(() => action(a, 0)).toThrow(expect.objectContaining({ code }));
      a.end('afterwards');
      expect(await text(b)).toBe('afterwards');
    });
  });

  it('UnixStream.writeWithFds keeps each descriptor with its own bytes, corked or full', async () => {
    const plan = fc.array(
      fc.record({ size: fc.integer({ min: 1, max: 90_000 }), fds: fc.nat(3), cork: fc.boolean() }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(plan, async (writes) => {
        await withPair(async (a, b) => {
          const offsets: number[] = [];
          let size = 0;
          for (const one of writes) {
            for (let index = 0; index < one.fds; index += 1) offsets.push(size);
            size += one.size;
          }
          let readBytes = 0;
          let arrived = 0;
          const faults: string[] = [];
          b.on('fds', (fds: OwnedFd[]) => {
            arrived += fds.length;
            closeAll(fds);
          });
          b.on('data', (chunk: Buffer) => {
            readBytes += chunk.length;
            const due = offsets.filter((offset) => offset < readBytes).length;
            if (arrived < due) faults.push(`${arrived} of ${due} had come at byte ${readBytes}`);
          });
          for (const one of writes) {
            if (one.cork) a.cork();
            const files = Array.from({ length: one.fds }, () => openFd('/dev/null', 0));
            a.writeWithFds(Buffer.alloc(one.size, 1), files);
            closeAll(files);
            if (one.cork) process.nextTick(() => a.uncork());
          }
          a.end();
          await once(b, 'close');
          expect([readBytes, arrived, faults]).toEqual([size, offsets.length, []]);
        });
      }),
      { numRuns: 25 },
    );
  });

  it('UnixStream.writeWithFds sends a copy when the socket is full and the original is closed', async () => {
    await withPair(async (a, b) => {
      while (a.write(Buffer.alloc(50_000))) await nextTurn();
      const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
      a.writeWithFds(Buffer.from('!'), [writer!]);
      writer!.close();
      const received = collectFds(b);
      a.end();
      expect((await buffer(b)).at(-1)).toBe('!'.charCodeAt(0));
      write(received[0]!.fd, Buffer.from('x'));
      expect(read(reader!.fd, new Uint8Array(1))).toBe(1);
      closeAll([...received, reader!]);
    });
  });

  it('UnixStream.destroy closes the copies of descriptors that were never sent', async () => {
    await withPair(async (a) => {
      const failed = once(a, 'error');
      while (a.write(Buffer.alloc(50_000))) await nextTurn();
      using file = openFd('/dev/null', 0);
      let told: unknown;
      a.writeWithFds(Buffer.from('!'), [file, file], (error) => (told = error));
      a.destroy(new Error('enough'));
      expect((await failed)[0]).toMatchObject({ message: 'enough' });
      await nextTurn();
      expect(told).toBeInstanceOf(Error);
    });
  });

  it('UnixStream.writeWithFds after the end is the error that write after the end is', async () => {
    await withPair(async (a) => {
      a.end();
      using file = openFd('/dev/null', 0);
      const failed = once(a, 'error');
      a.writeWithFds(Buffer.from('x'), [file]);
      expect((await failed)[0]).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
    });
  });

  it('UnixStream closes and counts descriptors that come while nobody listens, and goes on', async () => {
    await withPair(async (a, b) => {
      using file = openFd('/dev/null', 0);
      a.writeWithFds(Buffer.from('one '), [file, file]);
      a.end('two');
      expect(await text(b)).toBe('one two');
      expect(b.unclaimedFds).toBe(2);
    });
  });

  it('UnixStream with plainFds hands over numbers, and closeFds closes them', async () => {
    await withPair(
      async (a, b) => {
        using file = openFd('/dev/null', 0);
        const received: number[] = [];
        b.on('fds', (fds: number[]) => received.push(...fds));
        a.writeWithFds(Buffer.from('x'), [file, file.fd, file.borrow()]);
        a.end();
        expect(await text(b)).toBe('x');
        expect(received.map((fd) => fstatSync(fd).isCharacterDevice())).toEqual([true, true, true]);
        b.closeFds(received);
      },
      { plainFds: true },
    );
  });

  it('UnixStream fails, and closes what it got, when RLIMIT_NOFILE is exhausted', async () => {
    const program = new URL('../../test/fixtures/exhaust-descriptors.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=@pilotlight/source',
      program,
      'stream',
    ]);
    // The stream closed its own descriptor as well.
    expect(JSON.parse(stdout)).toEqual({
      code: 'ERR_SCM_CONTROL_TRUNCATED',
      received: 2,
      leaked: -1,
    });
  });

  it('UnixStream leaves bytes and descriptors in the kernel while nobody reads', async () => {
    await withPair(
      async (a, b) => {
        const received = collectFds(b);
        using file = openFd('/dev/null', 0);
        for (let index = 0; index < 5; index += 1) a.writeWithFds(Buffer.alloc(10), [file]);
        b.read(0);
        await once(b, 'readable');
        for (let turn = 0; turn < 10; turn += 1) await nextTurn();
        expect([received.length, b.readableLength]).toEqual([1, 10]);
        a.end();
        expect((await buffer(b)).length).toBe(50);
        expect(received).toHaveLength(5);
        closeAll(received);
      },
      { readableHighWaterMark: 10 },
    );
  });

  it('UnixStream.write reports back-pressure and drains', async () => {
    await withPair(async (a, b) => {
      let written = 0;
      while (a.write(Buffer.alloc(65_536))) written += 65_536;
      expect(written).toBeLessThan(10_000_000);
      const drained = once(a, 'drain');
      b.resume();
      await drained;
    });
  });

  it('UnixStream with allowHalfOpen answers after the peer has ended', async () => {
    await withPair(
      async (a, b) => {
        a.end('question');
        expect(await text(b)).toBe('question');
        b.end('answer');
        expect(await text(a)).toBe('answer');
      },
      { allowHalfOpen: true },
    );
  });

  it('UnixStream ends its side when the peer ended, as net.Socket does', async () => {
    await withPair(async (a, b) => {
      a.resume();
      b.resume();
      a.end();
      await Promise.all([once(a, 'close'), once(b, 'close')]);
      expect([b.writableFinished, a.errored, b.errored]).toEqual([true, null, null]);
    });
  });

  it('UnixStream fails with ECONNRESET when the peer closed without reading', async () => {
    await withPair(async (a, b) => {
      a.write('never read');
      const failed = once(a, 'error');
      b.destroy();
      a.resume();
      expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg' });
      expect(a.destroyed).toBe(true);
    });
  });

  it('UnixStream.write to a peer that is gone fails with EPIPE', async () => {
    await withPair(async (a, b) => {
      b.destroy();
      await once(b, 'close');
      const failed = once(a, 'error');
      a.write('x');
      expect((await failed)[0]).toMatchObject({ code: 'EPIPE', syscall: 'sendmsg' });
    });
  });

  it('UnixStream.destroy ends a read that waits, without an error', async () => {
    await withPair(async (a) => {
      a.resume();
      await nextTurn();
      a.destroy();
      await once(a, 'close');
      expect(a.errored).toBeNull();
      expect(() => a.fd).toThrow(expect.objectContaining({ code: 'ERR_SCM_FD_CLOSED' }));
    });
  });

  it('UnixStream works in a pipeline and with for await', async () => {
    await withPair(async (a, b) => {
      const source = new PassThrough();
      const piping = pipeline(source, a);
      source.end('through a pipe');
      let got = '';
      for await (const chunk of b) got += String(chunk);
      await piping;
      expect(got).toBe('through a pipe');
    });
  });

  it('UnixStream.peerCredentials names this process on a socket pair', async () => {
    await withPair(async (a) => {
      expect(a.peerCredentials()).toEqual({
        pid: process.pid,
        uid: process.getuid?.(),
        gid: process.getgid?.(),
      });
    });
  });

  it.skipIf(!hasPeerPidfd())(
    'UnixStream.peerPidfd is a pidfd of the peer (needs Linux 6.5)',
    async () => {
      await withPair(async (a) => {
        using peer = a.peerPidfd();
        using self = pidfdOpen(process.pid);
        expect(pidfdInode(peer)).toBe(pidfdInode(self));
        expect(fcntlGetfd(peer.fd)).toBe(1);
      });
    },
  );

  it('UnixStream.fromFd takes over a number and marks it close-on-exec', async () => {
    const [a, b] = socketpair('stream');
    const stream = UnixStream.fromFd(a.release());
    expect(fcntlGetfd(stream.fd)).toBe(1);
    stream.end('hello');
    const bytes = new Uint8Array(10);
    expect(read(b.fd, bytes)).toBe(5);
    b.close();
    stream.resume();
    if (!stream.closed) await once(stream, 'close');
  });

  it('UnixStream refuses what is no stream socket, and leaves it open', () => {
    for (const owned of [...socketpair('seqpacket'), ...socketpair('dgram')]) {
      expect(() => new UnixStream(owned)).toThrow(
        expect.objectContaining({ code: 'ERR_SCM_SOCKET_TYPE' }),
      );
      expect(owned.closed).toBe(false);
      owned.close();
    }
    using file = openFd('/dev/null', 0);
    expect(() => new UnixStream(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
  });

  it('UnixStream talks to a server of node:net', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'unix-stream-'));
    const server: Server = createServer((socket: Socket) => void socket.pipe(socket));
    server.listen(join(dir, 'socket'));
    await once(server, 'listening');
    const client = await connectStream(join(dir, 'socket'));
    client.end('echo me');
    // The default closes the write side only when reading has ended, so the echo comes back first.
    expect(await text(client)).toBe('echo me');
    server.close();
    rmSync(dir, { recursive: true });
  });
});

function hasPeerPidfd(): boolean {
  const [a, b] = UnixStream.pair();
  try {
    a.peerPidfd().close();
    return true;
  } catch {
    return false;
  } finally {
    a.destroy();
    b.destroy();
  }
}
