import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { close } from '../libc/close.ts';
import { fcntlDupfd } from '../libc/fcntl.ts';
import { loadLibc, useLibc } from '../libc/library.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { read } from '../libc/read.ts';
import { write } from '../libc/write.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { pidfdOpen } from '../pidfd/pidfd-open.ts';
import { countOpenFds } from '../testing/open-fds.ts';
import { Readiness } from './readiness.ts';

const ONE = new Uint8Array(1);

async function withMethod(
  method: 'loop' | 'pool',
  body: (readiness: Readiness, reader: OwnedFd, writer: OwnedFd) => Promise<void>,
): Promise<void> {
  const before = countOpenFds();
  const listeners = process.listenerCount('exit');
  const readiness = new Readiness({ usePoolThread: method === 'pool' });
  const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
  try {
    await body(readiness, reader!, writer!);
  } finally {
    await readiness.close();
    reader!.close();
    writer!.close();
  }
  expect(countOpenFds()).toBe(before);
  expect(process.listenerCount('exit')).toBe(listeners);
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe.each(['loop', 'pool'] as const)('Readiness (%s)', (method) => {
  const withReadiness = async (
    body: (readiness: Readiness, reader: OwnedFd, writer: OwnedFd) => Promise<void>,
  ): Promise<void> => withMethod(method, body);

  it('Readiness.wait resolves when a descriptor becomes readable, and is idle again', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      expect(readiness.idle).toBe(true);
      const ready = readiness.wait(reader, 'readable');
      expect([readiness.method, readiness.idle]).toEqual([method, method === 'loop']);
      write(writer.fd, ONE);
      expect(await ready).toEqual({ readable: true, writable: false, hangup: false, error: false });
      expect(readiness.waiting).toBe(0);
      await readiness.quiesce();
      expect(readiness.idle).toBe(true);
    });
  });

  it('Readiness.wait resolves at once for what is ready already', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      expect((await readiness.wait(writer, 'writable')).writable).toBe(true);
      write(writer.fd, ONE);
      for (let round = 0; round < 20; round += 1) {
        expect((await readiness.wait(reader.borrow(), 'readable')).readable).toBe(true);
      }
    });
  });

  it('Readiness.wait serves several waiters on one descriptor, each by its kind', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const one = readiness.wait(reader, 'readable');
      const two = readiness.wait(reader, 'readable');
      const hangup = readiness.wait(reader, 'hangup');
      write(writer.fd, ONE);
      expect([(await one).readable, (await two).readable]).toEqual([true, true]);
      expect(readiness.waiting).toBe(1);
      read(reader.fd, ONE);
      writer.close();
      expect(await hangup).toMatchObject({ hangup: true, readable: false });
    });
  });

  it('Readiness.wait for hang-up does not wake for data', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      write(writer.fd, ONE);
      const hangup = readiness.wait(reader, 'hangup');
      const switches = process.resourceUsage().voluntaryContextSwitches;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(readiness.waiting).toBe(1);
      // A level-triggered wait for data would have come back thousands of times.
      expect(process.resourceUsage().voluntaryContextSwitches - switches).toBeLessThan(500);
      writer.close();
      expect((await hangup).hangup).toBe(true);
    });
  });

  it('Readiness.wait is aborted alone, and the rest goes on', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const abort = new AbortController();
      const gone = readiness.wait(reader, 'readable', { signal: abort.signal });
      const stays = readiness.wait(reader, 'readable');
      abort.abort(new Error('enough'));
      await expect(gone).rejects.toThrow('enough');
      await expect(readiness.wait(reader, 'readable', { signal: abort.signal })).rejects.toThrow(
        'enough',
      );
      write(writer.fd, ONE);
      expect((await stays).readable).toBe(true);
    });
  });

  it('Readiness gives its thread back when the last wait is aborted', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const abort = new AbortController();
      const gone = readiness.wait(reader, 'readable', { signal: abort.signal });
      abort.abort();
      await expect(gone).rejects.toThrow(/abort/);
      while (!readiness.idle) await nextTurn();
      // And can start again.
      write(writer.fd, ONE);
      expect((await readiness.wait(reader, 'readable')).readable).toBe(true);
    });
  });

  it('Readiness.wait rejects when the owner closes the descriptor', async () => {
    await withReadiness(async (readiness, reader) => {
      const waits = [
        readiness.wait(reader, 'readable'),
        readiness.wait(reader.borrow(), 'readable'),
      ];
      reader.close();
      for (const wait of waits) {
        await expect(wait).rejects.toMatchObject({ code: 'ERR_SCM_FD_CLOSED' });
      }
    });
  });

  it('Readiness.wait rejects what cannot be waited for', async () => {
    await withReadiness(async (readiness) => {
      using regular = openFd(import.meta.filename, 0);
      await expect(readiness.wait(regular, 'readable')).rejects.toMatchObject({ code: 'EPERM' });
      await expect(readiness.wait(1_000_000, 'readable')).rejects.toMatchObject({ code: 'EBADF' });
      await expect(readiness.wait(-1, 'readable')).rejects.toMatchObject({
        code: 'ERR_SCM_INVALID_FD',
      });
      expect(readiness.idle).toBe(true);
    });
  });

  it('Readiness survives a number closed behind its back while another copy is ready', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const copy = fcntlDupfd(reader.fd);
      const abort = new AbortController();
      const lost = readiness.wait(copy, 'readable', { signal: abort.signal });
      // The copy's entry stays in the epoll set, because `reader` keeps the open file alive.
      close(copy);
      abort.abort();
      await expect(lost).rejects.toThrow(/abort/);
      write(writer.fd, ONE);
      const switches = process.resourceUsage().voluntaryContextSwitches;
      const other = pipe2();
      const pending = readiness.wait(other[0], 'readable');
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(process.resourceUsage().voluntaryContextSwitches - switches).toBeLessThan(500);
      write(other[1], ONE);
      expect((await pending).readable).toBe(true);
      for (const fd of other) close(fd);
    });
  });

  it('Readiness keeps a descriptor between the waits of its owner', async () => {
    const real = loadLibc();
    let calls = 0;
    using _counted = useLibc({
      ...real,
      func: (name, result, params) => {
        const call = real.func<never>(name, result, params);
        const counted = (...args: Parameters<typeof call>): never => {
          if (name === 'epoll_ctl') calls += 1;
          return call(...args);
        };
        return Object.assign(counted, { async: call.async.bind(call) });
      },
    });
    await withReadiness(async (readiness, reader, writer) => {
      for (let round = 0; round < 50; round += 1) {
        const ready = readiness.wait(reader, 'readable');
        write(writer.fd, ONE);
        await ready;
        read(reader.fd, ONE);
      }
      expect(calls).toBeLessThan(20);
    });
  });

  it('Readiness does not mistake the next owner of a number for the last', async () => {
    await withReadiness(async (readiness) => {
      for (let round = 0; round < 5; round += 1) {
        const [reader, writer] = pipe2();
        // Closed behind its back, while it is kept for this owner: the next one gets the same number.
        const forgotten = new OwnedFd(reader);
        const first = readiness.wait(forgotten, 'readable');
        write(writer, ONE);
        expect((await first).readable).toBe(true);
        read(reader, ONE);
        close(reader);
        const [again, other] = pipe2();
        expect(again).toBe(reader);
        const next = new OwnedFd(again);
        const second = readiness.wait(next, 'readable');
        write(other, ONE);
        expect((await second).readable).toBe(true);
        next.close();
        for (const fd of [writer, other]) close(fd);
      }
    });
  });

  it('Readiness is quiet about a descriptor that is ready while nobody waits', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const first = readiness.wait(reader, 'readable');
      write(writer.fd, ONE);
      await first;
      // Not read: it stays readable. Something else has to be waited for, or nothing would be reported at all.
      const other = pipe2();
      const pending = readiness.wait(other[0], 'readable');
      const switches = process.resourceUsage().voluntaryContextSwitches;
      const turns = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(process.resourceUsage().voluntaryContextSwitches - switches).toBeLessThan(500);
      expect(process.cpuUsage(turns).user + process.cpuUsage(turns).system).toBeLessThan(40_000);
      expect((await readiness.wait(reader, 'readable')).readable).toBe(true);
      write(other[1], ONE);
      await pending;
      for (const fd of other) close(fd);
    });
  });

  it('Readiness.wait for hang-up after a wait for data does not wake for data', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const data = readiness.wait(reader, 'readable');
      write(writer.fd, ONE);
      await data;
      const hangup = readiness.wait(reader, 'hangup');
      const used = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(process.cpuUsage(used).user + process.cpuUsage(used).system).toBeLessThan(40_000);
      expect(readiness.waiting).toBe(1);
      writer.close();
      expect((await hangup).hangup).toBe(true);
    });
  });

  it('Readiness.quiesce resolves with waits pending, which are served afterwards', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const ready = readiness.wait(reader, 'readable');
      await readiness.quiesce();
      expect(readiness.idle).toBe(true);
      write(writer.fd, ONE);
      expect((await ready).readable).toBe(true);
    });
  });

  it('Readiness.hold keeps it idle until it is given back', async () => {
    await withReadiness(async (readiness, reader, writer) => {
      const ready = readiness.wait(reader, 'readable');
      const hold = readiness.hold();
      await readiness.quiesce();
      write(writer.fd, ONE);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      expect([readiness.idle, readiness.waiting]).toEqual([true, 1]);
      hold[Symbol.dispose]();
      hold[Symbol.dispose]();
      expect((await ready).readable).toBe(true);
    });
  });

  it('Readiness.close rejects pending and later waits', async () => {
    await withReadiness(async (readiness, reader) => {
      const pending = readiness.wait(reader, 'readable');
      const closing = readiness.close();
      await expect(pending).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
      await closing;
      await expect(readiness.wait(reader, 'readable')).rejects.toThrow(/closed on this side/);
    });
  });

  it('Readiness watches a thousand descriptors', async () => {
    await withReadiness(async (readiness) => {
      const pipes = Array.from({ length: 1000 }, () => pipe2());
      const waits = pipes.map(([reader]) => readiness.wait(reader, 'readable'));
      for (const [, writer] of pipes) write(writer, ONE);
      expect((await Promise.all(waits)).every(({ readable }) => readable)).toBe(true);
      for (const fd of pipes.flat()) close(fd);
    });
  });

  it('Readiness serves ten thousand waits on a thousand descriptors, each exactly once', async () => {
    await withReadiness(async (readiness) => {
      const pipes = Array.from({ length: 1000 }, () => pipe2());
      const rounds = pipes.map(async ([reader, writer], index) => {
        for (let round = 0; round < 10; round += 1) {
          const ready = readiness.wait(reader, 'readable');
          if (index % 3 === 0) setImmediate(() => write(writer, ONE));
          else write(writer, ONE);
          await ready;
          expect(read(reader, new Uint8Array(8))).toBe(1);
        }
      });
      await Promise.all(rounds);
      expect(readiness.waiting).toBe(0);
      for (const fd of pipes.flat()) close(fd);
    });
  });

  it('Readiness.wait sees a pidfd become readable when its process dies', async () => {
    await withReadiness(async (readiness) => {
      const child: ChildProcess = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
      using pidfd = pidfdOpen(child.pid!);
      const dead = readiness.wait(pidfd, 'readable');
      const ended = once(child, 'exit');
      child.stdin?.end();
      expect((await dead).readable).toBe(true);
      await ended;
    });
  });
});

describe('a process with pending waits', () => {
  it.each([
    ['exit', 7, 'process.exit ends it'],
    ['throw', 1, 'an uncaught exception ends it'],
    ['abort', 0, 'it ends by itself when the wait is aborted'],
    ['done', 0, 'it ends by itself when the wait is over'],
    ['unread', 0, 'it ends by itself when the wait is over and more could be read'],
    ['close', 0, 'it ends by itself when the socket is closed'],
    ['worker-exit', 7, 'a worker that waits can be ended by its process.exit'],
    ['worker-terminate', 1, 'a worker that waits can be terminated'],
    ['worker-unread', 0, 'a worker ends by itself when the wait is over and more could be read'],
    ['worker-done', 0, 'a worker ends by itself when the wait is over'],
  ])('%s: status %i, because %s', async (mode, status) => {
    const program = new URL('../../test/fixtures/end-while-waiting.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--conditions=@pilotlight/source', program, mode], {
      stdio: ['ignore', 'ignore', 'ignore'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    expect(await once(child, 'exit')).toEqual([status, null]);
  });
});
