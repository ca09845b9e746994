import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { closeAll } from '../close-all.ts';
import { FdLeakError, type LeakedFd } from '../errors.ts';
import { close } from '../libc/close.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { SeqpacketSocket } from '../seqpacket-socket.ts';
import { socketpair } from '../socketpair.ts';
import { UnixStream } from '../stream/unix-stream.ts';
import { traceFds } from './trace-fds.ts';
import { withoutFdLeak } from './without-fd-leak.ts';

async function receiveHere(socket: SeqpacketSocket): Promise<OwnedFd> {
  return (await socket.receive())!.fds[0]!;
}

function openHere(): OwnedFd {
  return openFd('/dev/null', 0);
}

function only(open: readonly LeakedFd[]): LeakedFd {
  expect(open).toHaveLength(1);
  return open[0]!;
}

describe('traceFds', () => {
  it('traceFds tells where an open descriptor was opened, and forgets it once it is closed', () => {
    using trace = traceFds();
    const owned = openHere();
    const record = only(trace.open());
    expect(record).toMatchObject({ fd: owned.fd, role: '/dev/null' });
    expect(record.stack).toMatch(/^ +at openHere \(/);
    expect(() => trace.check()).toThrow(FdLeakError);
    expect(() => trace.check()).toThrow(/left open are \d+, \/dev\/null, from\n +at openHere/);
    owned.close();
    expect(trace.open()).toEqual([]);
    trace.check();
  });

  it('traceFds tells which call received a descriptor, though it came later', async () => {
    const [a, b] = socketpair('seqpacket').map((owned) => new SeqpacketSocket(owned));
    using file = openHere();
    using trace = traceFds();
    const receiving = receiveHere(b!);
    await new Promise((resolve) => setImmediate(resolve));
    await a!.send(new Uint8Array(1), [file]);
    using received = await receiving;
    const record = trace.open().find(({ fd }) => fd === received.fd);
    expect(record?.role).toBe('received descriptor');
    expect(record?.stack).toMatch(/^ +at (async )?receiveHere \(/);
    a!.close();
    b!.close();
  });

  it('traceFds tells which stream received a descriptor', async () => {
    using trace = traceFds();
    const streams = UnixStream.pair();
    const [a, b] = streams;
    using file = openHere();
    b.resume();
    a.writeWithFds(Buffer.from('x'), [file]);
    const [fds] = (await once(b, 'fds')) as [OwnedFd[]];
    const record = trace.open().find(({ fd }) => fd === fds[0]!.fd);
    expect(record?.stack).toContain('trace-fds.test.ts');
    closeAll(fds);
    for (const stream of streams) stream.destroy();
  });

  it('traceFds forgets what was released, and ends when it is disposed of', () => {
    const limit = Error.stackTraceLimit;
    const trace = traceFds();
    const number = openHere().release();
    expect(trace.open()).toEqual([]);
    trace[Symbol.dispose]();
    using _later = openHere();
    expect([trace.open(), Error.stackTraceLimit]).toEqual([[], limit]);
    close(number);
  });
});

describe('withoutFdLeak', () => {
  it('withoutFdLeak names what was left open, with and without an owner', async () => {
    let owned: OwnedFd | undefined;
    let plain: number[] = [];
    const failure: unknown = await withoutFdLeak(() => {
      owned = openHere();
      plain = pipe2();
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FdLeakError);
    const { leaked } = failure as FdLeakError;
    expect(leaked).toHaveLength(3);
    expect(leaked).toContainEqual({
      fd: owned?.fd,
      target: '/dev/null',
      role: '/dev/null',
      stack: expect.stringContaining('openHere'),
    });
    expect(leaked.filter(({ fd }) => plain.includes(fd)).map(({ role }) => role)).toEqual([
      undefined,
      undefined,
    ]);
    closeAll([owned!, ...plain]);
  });

  it('withoutFdLeak gives what the action gave if nothing was left', async () => {
    expect(
      await withoutFdLeak(() => {
        openHere().close();
        return 'result';
      }),
    ).toBe('result');
  });
});
