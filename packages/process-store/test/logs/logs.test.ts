import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  mkfifo,
  openFd,
  type OwnedFd,
  peekFifo,
  pidfdOpen,
  pidfdSendSignal,
  readiness,
  setWindowSize,
} from '@pilotlight/scm-rights';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { beforeAll, expect, test } from 'vitest';
import type { LogDroppedError, LogError } from '../../src/errors.ts';
import { parseCriLine } from '../../src/log/cri-line.ts';
import { LogPump, type LogSink } from '../../src/log/log-pump.ts';
import { readLog } from '../../src/log/log-reader.ts';
import { LogWriter } from '../../src/log/log-writer.ts';
import { type LogStreamName, openLogFifo, openLogFifoToPump } from '../../src/stdio/log-fifo.ts';
import { isRoot } from '../is-root.ts';
import { openPty } from '../open-pty.ts';
import { runWith, type Running } from '../run-with.ts';
import { Scratch } from '../scratch.ts';

const { O_RDONLY, O_WRONLY } = constants;

// What waits has one lasting epoll descriptor, and what peeks one lasting pipe, made when they are first needed.
beforeAll(async () => {
  const fifo = join(tmpdir(), `peeked-${process.pid}`);
  mkfifo(fifo);
  using peeked = openFd(fifo, O_RDONLY | constants.O_NONBLOCK);
  rmSync(fifo);
  peekFifo(peeked, Buffer.alloc(1));
  const [master, terminal] = openPty();
  terminal.close();
  await readiness.wait(master, 'readable');
  master.close();
});

/** What the lines of a log say, those of each stream joined. */
async function outputOf(path: string): Promise<Record<LogStreamName, string>> {
  const output = { stdout: '', stderr: '' };
  for await (const { stream, content, partial } of readLog(path, { format: 'cri' })) {
    output[stream!] += content.toString('latin1') + (partial ? '' : '\n');
  }
  return output;
}

function pump(directory: string, stream: LogStreamName, writer: LogSink): LogPump {
  return new LogPump({ source: openLogFifoToPump(directory, stream), stream, writer });
}

/** Runs a script with log fifos in `directory`, and nothing of them left here. */
async function start(directory: string, script: string): Promise<Running> {
  const streams = ['stdout', 'stderr'] as const;
  const [stdout, stderr] = streams.map((stream) => openLogFifo(directory, stream)) as [
    OwnedFd,
    OwnedFd,
  ];
  const nothing = openSync('/dev/null', O_RDONLY);
  try {
    return await runWith([nothing, stdout, stderr], script);
  } finally {
    closeSync(nothing);
    stdout.close();
    stderr.close();
  }
}

/** Keeps the pumps from seeing the end before the process has its streams. */
function makeFifos(directory: string): Disposable {
  const held = (['stdout', 'stderr'] as const).map((stream) => openLogFifo(directory, stream));
  return { [Symbol.dispose]: () => held.forEach((fd) => fd.close()) };
}

test('LogPump brings both streams of a process into one log, whole', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(path, { maxBytes: 20_000, maxFiles: 100 });
    const held = makeFifos(scratch.path);
    const pumps = (['stdout', 'stderr'] as const).map((s) => pump(scratch.path, s, writer));
    const running = await start(scratch.path, 'seq 20000; seq 100 >&2; printf end');
    held[Symbol.dispose]();
    expect(await running.ended).toBe(0);
    expect(await Promise.all(pumps.map(({ done }) => done))).toEqual(['ended', 'ended']);
  });
  const { stdout, stderr } = await outputOf(path);
  const seq = (n: number): string => Array.from({ length: n }, (_, i) => `${i + 1}\n`).join('');
  expect(stdout === `${seq(20_000)}end`).toBe(true);
  expect(stderr).toBe(seq(100));
});

test('LogPump reads no more while its log takes its time, and the process waits', async () => {
  using scratch = new Scratch();
  await withoutFdLeak(async () => {
    const gate = Promise.withResolvers<void>();
    let taken = 0;
    const slow: LogSink = {
      write: async (lines) => {
        taken += lines.reduce((sum, { length }) => sum + length, 0);
        await gate.promise;
      },
    };
    const held = makeFifos(scratch.path);
    const pumping = pump(scratch.path, 'stdout', slow);
    const running = await start(scratch.path, 'seq 100000; echo done >&2');
    held[Symbol.dispose]();
    using errors = openLogFifoToPump(scratch.path, 'stderr');
    await expect.poll(() => taken).toBeGreaterThan(0);
    // One chunk, however long it takes: 64 KiB of short lines, with a header for each.
    const first = taken;
    const quick = new AbortController();
    setTimeout(() => quick.abort(), 100);
    await expect(
      readiness.wait(errors, 'readable', { signal: quick.signal }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(taken).toBe(first);
    gate.resolve();
    expect([await running.ended, await pumping.done]).toEqual([0, 'ended']);
  });
});

test('LogPump of a terminal ends when nobody has it open any more', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(path);
    const [master, terminal] = openPty();
    setWindowSize(master, { rows: 24, columns: 80 });
    const running = await runWith([terminal, terminal, terminal], 'stty size; printf bye >&2');
    terminal.close();
    const pumping = new LogPump({ source: master, stream: 'stdout', writer });
    expect(await running.ended).toBe(0);
    expect(await pumping.drain({ graceMs: 30_000 })).toBe('ended');
  });
  expect(await outputOf(path)).toEqual({ stdout: '24 80\r\nbye', stderr: '' });
});

test('LogPump.stop leaves what is unread for the next pump', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const go = join(scratch.path, 'go');
  mkfifo(go);
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(path);
    const held = makeFifos(scratch.path);
    const first = pump(scratch.path, 'stdout', writer);
    const running = await start(scratch.path, `echo one; cat ${go}; echo two`);
    held[Symbol.dispose]();
    await expect.poll(() => readFileSync(path, 'utf8')).toContain('one');
    await first.stop();
    expect(await first.done).toBe('stopped');
    // It holds the fifo, as the keeper does, so that the end of the process loses nothing.
    const keeper = openLogFifoToPump(scratch.path, 'stdout');
    closeSync(openSync(go, O_WRONLY));
    expect(await running.ended).toBe(0);
    const second = new LogPump({ source: keeper, stream: 'stdout', writer });
    expect(await second.done).toBe('ended');
  });
  expect((await outputOf(path)).stdout).toBe('one\ntwo\n');
});

/** A process that has ended, and whose heir holds its streams until `release`. */
async function withHeir(
  body: (scratch: Scratch, pumping: LogPump, release: () => void, path: string) => Promise<void>,
  script = 'printf last',
): Promise<void> {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const go = join(scratch.path, 'go');
  mkfifo(go);
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(path);
    const held = makeFifos(scratch.path);
    const pumping = pump(scratch.path, 'stdout', writer);
    const running = await start(scratch.path, `(cat ${go}; echo heir) & ${script}`);
    held[Symbol.dispose]();
    expect(await running.ended).toBe(0);
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      closeSync(openSync(go, O_WRONLY));
    };
    try {
      await body(scratch, pumping, release, path);
    } finally {
      release();
      await pumping.stop();
    }
  });
}

test('LogPump.drain, mistake 13: an end is told though others hold the streams of the process', async () => {
  await withHeir(async (_scratch, pumping) => {
    expect(await pumping.drain({ graceMs: 20 })).toBe('held');
  });
});

test('LogPump.drain, mistake 14: heirs that hold the streams are not waited for, and go on being logged', async () => {
  await withHeir(async (_scratch, pumping, release, path) => {
    expect(await pumping.drain({ graceMs: 0 })).toBe('held');
    release();
    expect(await pumping.done).toBe('ended');
    expect((await outputOf(path)).stdout).toBe('lastheir\n');
  });
});

test('LogPump.drain, mistake 14: heirs that never stop writing are not waited for either, and keep nothing else here from running', async () => {
  using scratch = new Scratch();
  const pidFile = join(scratch.path, 'pid');
  await withoutFdLeak(async () => {
    const held = makeFifos(scratch.path);
    const pumping = pump(scratch.path, 'stdout', { write: async () => {} });
    const running = await start(scratch.path, `yes & echo $! > ${pidFile}`);
    held[Symbol.dispose]();
    expect(await running.ended).toBe(0);
    using heir = pidfdOpen(Number(readFileSync(pidFile, 'utf8')));
    try {
      expect(await pumping.drain({ graceMs: 10 })).toBe('held');
    } finally {
      pidfdSendSignal(heir, 'SIGKILL');
    }
    expect(await pumping.done).toBe('ended');
  });
});

test('LogPump.drain, mistake 18: the last output is in the log, also without newline and with no grace', async () => {
  await withHeir(async (_scratch, pumping, _release, path) => {
    expect(await pumping.drain({ graceMs: 0 })).toBe('held');
    const { stdout } = await outputOf(path);
    expect(stdout.length).toBe(60_000);
    expect(stdout.endsWith('last')).toBe(true);
  }, 'head -c 59996 /dev/zero; printf last');
});

test('LogPump tells of a source that cannot be read, and ends', async () => {
  using scratch = new Scratch();
  mkdirSync(join(scratch.path, 'place'));
  const warnings: LogError[] = [];
  const writer: LogSink = { write: async () => {} };
  const pumping = new LogPump({
    source: openFd(join(scratch.path, 'place'), O_RDONLY),
    stream: 'stderr',
    writer,
    onWarning: (warning) => warnings.push(warning),
  });
  expect(await pumping.done).toBe('stopped');
  expect(await pumping.drain({ graceMs: 0 })).toBe('stopped');
  expect(warnings).toEqual([
    expect.objectContaining({ code: 'ERR_STORE_LOG', message: expect.stringContaining('EISDIR') }),
  ]);
});

test.skipIf(!isRoot)(
  'LogWriter on a full disk keeps the process running, counts, and says so when there is space',
  async () => {
    using scratch = new Scratch();
    const disk = join(scratch.path, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', disk]);
    try {
      const path = join(disk, 'log');
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, Buffer.alloc(40_000));
      const warnings: LogDroppedError[] = [];
      await withoutFdLeak(async () => {
        await using writer = await LogWriter.open(path, {
          onWarning: (warning) => warnings.push(warning as LogDroppedError),
        });
        const held = makeFifos(scratch.path);
        const pumping = pump(scratch.path, 'stdout', writer);
        const go = join(scratch.path, 'go');
        mkfifo(go);
        const running = await start(scratch.path, `seq 50000; cat ${go}; echo after`);
        held[Symbol.dispose]();
        // Far more than the disk holds.
        await expect.poll(() => writer.droppedBytes).toBeGreaterThan(1_000_000);
        expect(warnings).toEqual([
          expect.objectContaining({ code: 'ERR_STORE_LOG_DROPPED', path, name: 'LogDroppedError' }),
        ]);
        expect((warnings[0]!.cause as { code?: string }).code).toBe('ENOSPC');
        // It waits at the fifo by now, and whatever it wrote was taken.
        const gate = await open(go, 'w');
        await expect.poll(() => writer.droppedBytes).toBe(droppedOf(path));
        rmSync(ballast);
        await gate.close();
        expect([await running.ended, await pumping.done]).toEqual([0, 'ended']);
        const dropped = writer.droppedBytes;
        expect(warnings.map(({ droppedBytes }) => droppedBytes).at(-1)).toBe(dropped);
        const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
        // Each parses: none is cut.
        const texts = lines.map((line) => parseCriLine(Buffer.from(line))!.content.toString());
        expect(texts.at(-1)).toBe('after');
        expect(texts.at(-2)).toBe(
          `[pilotlight: ${dropped} bytes of the log were lost here: ENOSPC]`,
        );
        expect(texts.slice(0, -2)).toEqual(texts.slice(0, -2).map((_, index) => String(index + 1)));
      });
    } finally {
      execFileSync('umount', [disk]);
    }
  },
);

/** How many bytes of the lines of `seq 50000` are not in the log. */
function droppedOf(path: string): number {
  const header = '2023-11-14T22:13:20.000000007Z stdout F '.length;
  let total = 0;
  for (let i = 1; i <= 50_000; i += 1) total += header + String(i).length + 1;
  return total - readFileSync(path).length;
}

test('readLog reads a log that conmon wrote', async () => {
  const captured = new URL('conmon-2.1.6/k8s-file.log', import.meta.url).pathname;
  expect(await outputOf(captured)).toEqual({
    stdout: `stdout line\n\n${'7'.padStart(9000, '0')}\nno newline`,
    stderr: 'stderr line\n',
  });
});
