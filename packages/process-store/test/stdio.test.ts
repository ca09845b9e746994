import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  getWindowSize,
  mkfifo,
  readiness,
  readNow,
  sendFileBlocking,
  setNonblocking,
  setWindowSize,
} from '@pilotlight/scm-rights';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { beforeAll, expect, test } from 'vitest';
import { isStoreError } from '../src/errors.ts';
import { ConsoleChannel } from '../src/stdio/console.ts';
import { openLogFifo, openLogFifoToPump } from '../src/stdio/log-fifo.ts';
import { openStdio, type OpenedStdio } from '../src/stdio/open-stdio.ts';
import type { StoredInput, StoredOutput } from '../src/stdio/stored-stdio.ts';
import { openPty } from './open-pty.ts';
import { runWith } from './run-with.ts';
import { Scratch } from './scratch.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const nothing = { kind: 'null' } as const;

// What waits has one lasting epoll descriptor, made when it is first needed.
beforeAll(async () => {
  const [master, terminal] = openPty();
  terminal.close();
  await readiness.wait(master, 'readable');
  master.close();
});

interface Streams {
  stdin?: StoredInput;
  stdout?: StoredOutput;
  stderr?: StoredOutput;
  fifoTimeoutMs?: number;
  signal?: AbortSignal;
}

async function open(scratch: Scratch, streams: Streams): Promise<OpenedStdio> {
  const { stdin = nothing, stdout = nothing, stderr = nothing, ...options } = streams;
  return openStdio({ stdin, stdout, stderr }, { directory: scratch.path, ...options });
}

async function run(stdio: OpenedStdio, script: string): Promise<number | string | null> {
  const running = await runWith(stdio.fds, script);
  stdio.close();
  return running.ended;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return { none: await promise };
  } catch (error) {
    return error;
  }
}

const isBlocking = (fd: number): boolean =>
  (Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8) &
    O_NONBLOCK) ===
  0;

test('openStdio opens nothing but /dev/null for null streams, once', async () => {
  using scratch = new Scratch();
  await withoutFdLeak(async () => {
    const stdio = await open(scratch, {});
    expect(new Set(stdio.fds).size).toBe(1);
    expect(await run(stdio, 'read line || echo nobody hears; exit 3')).toBe(3);
  });
});

test('openStdio appends to files that it makes with mode 0640, and reads others', async () => {
  using scratch = new Scratch();
  const path = (name: string): string => join(scratch.path, name);
  writeFileSync(path('in'), 'one\ntwo\n');
  writeFileSync(path('out'), 'before\n');
  await withoutFdLeak(async () => {
    const stdio = await open(scratch, {
      stdin: { kind: 'file', path: path('in') },
      stdout: { kind: 'file', path: path('out') },
      stderr: { kind: 'file', path: path('err') },
    });
    expect(stdio.fds.map(({ fd }) => isBlocking(fd))).toEqual([true, true, true]);
    expect(await run(stdio, 'cat; echo problem >&2')).toBe(0);
  });
  expect(readFileSync(path('out'), 'utf8')).toBe('before\none\ntwo\n');
  expect(readFileSync(path('err'), 'utf8')).toBe('problem\n');
  expect(statSync(path('err')).mode & 0o777).toBe(0o640 & ~process.umask());
});

test('openStdio gives streams with the same file, by whatever name, one open file', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'both');
  symlinkSync(path, join(scratch.path, 'alias'));
  await withoutFdLeak(async () => {
    const stdio = await open(scratch, {
      stdout: { kind: 'file', path },
      stderr: { kind: 'file', path: join(scratch.path, 'alias') },
    });
    expect(stdio.fds[1]).toBe(stdio.fds[2]);
    const script = 'for i in 1 2 3 4 5 6 7 8 9; do echo "out $i"; echo "err $i" >&2; done';
    expect(await run(stdio, script)).toBe(0);
  });
  const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `out ${i}\nerr ${i}\n`).join('');
  expect(readFileSync(path, 'utf8')).toBe(expected);
});

test.each([
  ['a directory', (path: string) => mkdirSync(path), 'directory'],
  ['a device', (path: string) => symlinkSync('/dev/tty', path), 'device'],
  ['a fifo', (path: string) => mkfifo(path), 'fifo'],
  ['a loop of links', (path: string) => symlinkSync(path, path), 'ELOOP'],
])('openStdio refuses to write to %s, by name and with a hint', async (_what, make, said) => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'place');
  make(path);
  await withoutFdLeak(async () => {
    const error = await failureOf(open(scratch, { stdout: { kind: 'file', path } }));
    expect(isStoreError(error, 'ERR_STORE_STDIO')).toBe(true);
    expect(error).toMatchObject({
      path,
      message: expect.stringContaining(said),
      hint: expect.stringMatching(/./),
    });
  });
});

test('openStdio refuses a file to read that does not exist, and does not make it', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'missing');
  const stdout = { kind: 'file', path: join(scratch.path, 'out') } as const;
  await withoutFdLeak(async () => {
    const error = await failureOf(open(scratch, { stdin: { kind: 'file', path }, stdout }));
    expect(error).toMatchObject({ code: 'ERR_STORE_STDIO', path });
  });
  expect(existsSync(path)).toBe(false);
});

test('openStdio opens fifos from either side, in whatever order the others come', async () => {
  using scratch = new Scratch();
  const [input, output] = ['in', 'out'].map((name) => join(scratch.path, name)) as [string, string];
  mkfifo(input);
  mkfifo(output);
  await withoutFdLeak(async () => {
    const opening = open(scratch, {
      stdin: { kind: 'fifo', path: input },
      stdout: { kind: 'fifo', path: output },
      stderr: { kind: 'fifo', path: output },
    });
    // Output first: one that waited for the writer of the input would wait for ever.
    const all = readFile(output, 'utf8');
    const writer = await openFile(input, 'w');
    const stdio = await opening;
    expect(stdio.fds[1]).toBe(stdio.fds[2]);
    expect(stdio.fds.map(({ fd }) => isBlocking(fd))).toEqual([true, true, true]);
    await writer.write('hello');
    await writer.close();
    expect(await run(stdio, 'cat; echo problem >&2')).toBe(0);
    expect(await all).toBe('helloproblem\n');
  });
});

test.each(['stdin', 'stdout'] as const)(
  'openStdio gives up a fifo as %s at its timeout, and leaves nothing open',
  async (stream) => {
    using scratch = new Scratch();
    const path = join(scratch.path, 'fifo');
    mkfifo(path);
    await withoutFdLeak(async () => {
      const streams = { [stream]: { kind: 'fifo', path }, fifoTimeoutMs: 30 };
      const error = await failureOf(open(scratch, streams));
      expect(error).toMatchObject({ code: 'ERR_STORE_FIFO_TIMEOUT', path });
    });
  },
);

test('openStdio ends with the reason of its signal, and no fifo occupies a thread meanwhile', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'fifo');
  mkfifo(path);
  writeFileSync(join(scratch.path, 'file'), 'text');
  await withoutFdLeak(async () => {
    const controller = new AbortController();
    // More than libuv has threads.
    const openings = Array.from({ length: 12 }, async () =>
      failureOf(open(scratch, { stdin: { kind: 'fifo', path }, signal: controller.signal })),
    );
    expect(await readFile(join(scratch.path, 'file'), 'utf8')).toBe('text');
    const reason = new Error('enough');
    controller.abort(reason);
    expect(new Set(await Promise.all(openings))).toEqual(new Set([reason]));
  });
});

test('openStdio refuses a fifo that is missing, and one that the process would feed itself', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'fifo');
  const fifo = { kind: 'fifo', path } as const;
  await withoutFdLeak(async () => {
    expect(await failureOf(open(scratch, { stderr: fifo }))).toMatchObject({
      code: 'ERR_STORE_STDIO',
      hint: expect.stringContaining('mkfifo'),
    });
    mkfifo(path);
    expect(await failureOf(open(scratch, { stdin: fifo, stderr: fifo }))).toMatchObject({
      code: 'ERR_STORE_STDIO',
      message: expect.stringContaining('would read what it writes'),
    });
  });
});

test('openStdio, mistake 16: the tail of stdin is not lost when its writer closes before it is read', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'in');
  const out = join(scratch.path, 'out');
  mkfifo(path);
  const opening = open(scratch, {
    stdin: { kind: 'fifo', path },
    stdout: { kind: 'file', path: out },
  });
  const text = 'x'.repeat(50_000);
  const writer = await openFile(path, 'w');
  await writer.write(`${text}tail`);
  // Nobody has read a byte yet, and the program does not even run.
  await writer.close();
  expect(await run(await opening, 'cat')).toBe(0);
  expect(readFileSync(out, 'utf8')).toBe(`${text}tail`);
});

test('openStdio, mistake 17: no stream is stuck, because a process has one side of a fifo only', async () => {
  using scratch = new Scratch();
  const [input, output] = ['in', 'out'].map((name) => join(scratch.path, name)) as [string, string];
  mkfifo(input);
  mkfifo(output);
  const opening = open(scratch, {
    stdin: { kind: 'fifo', path: input },
    stdout: { kind: 'fifo', path: output },
  });
  const reader = openSync(output, O_RDONLY | O_NONBLOCK);
  const writer = await openFile(input, 'w');
  const stdio = await opening;
  const running = await runWith(stdio.fds, 'cat; trap "" PIPE; echo late || exit 7');
  stdio.close();
  // No reader any more: it is told so, and does not write into a pipe that it holds itself.
  closeSync(reader);
  // No writer any more: cat sees the end.
  await writer.close();
  expect(await running.ended).toBe(7);
});

test('openLogFifo lets a process write with no pump, and the pump see all of it and then the end', async () => {
  using scratch = new Scratch();
  await withoutFdLeak(async () => {
    const stdio = await open(scratch, { stdout: { kind: 'log' }, stderr: { kind: 'log' } });
    for (const name of ['stdout', 'stderr']) {
      expect(statSync(join(scratch.path, name)).mode & 0o777).toBe(0o600);
    }
    // It was opened for reading as well, and nobody else reads.
    const running = await runWith(stdio.fds, 'echo before; echo error >&2; read line');
    using pump = openLogFifoToPump(scratch.path, 'stdout');
    const bytes = Buffer.alloc(100);
    stdio.close();
    expect(await running.ended).toBe(1);
    expect(bytes.toString('utf8', 0, readNow(pump, bytes))).toBe('before\n');
    expect(readNow(pump, bytes)).toBe(0);
  });
});

test('openLogFifo: the death of every pump is no SIGPIPE, and what comes in between is kept', async () => {
  using scratch = new Scratch();
  const stdio = await open(scratch, { stdout: { kind: 'log' }, stdin: { kind: 'null' } });
  const go = join(scratch.path, 'go');
  mkfifo(go);
  const running = await runWith(stdio.fds, `echo one; cat ${go}; echo two; cat ${go}`);
  stdio.close();
  const bytes = Buffer.alloc(100);
  {
    using pump = openLogFifoToPump(scratch.path, 'stdout');
    await readiness.wait(pump, 'readable');
    expect(bytes.toString('utf8', 0, readNow(pump, bytes))).toBe('one\n');
  }
  closeSync(openSync(go, O_WRONLY));
  const gate = openSync(go, O_WRONLY);
  using pump = openLogFifoToPump(scratch.path, 'stdout');
  await readiness.wait(pump, 'readable');
  expect(bytes.toString('utf8', 0, readNow(pump, bytes))).toBe('two\n');
  closeSync(gate);
  expect(await running.ended).toBe(0);
});

test('openLogFifo lets a program open its stdout again by name', async () => {
  using scratch = new Scratch();
  const stdio = await open(scratch, { stdout: { kind: 'log' } });
  using pump = openLogFifoToPump(scratch.path, 'stdout');
  expect(await run(stdio, 'echo first; echo second > /dev/stdout; echo third')).toBe(0);
  const bytes = Buffer.alloc(100);
  expect(bytes.toString('utf8', 0, readNow(pump, bytes))).toBe('first\nsecond\nthird\n');
});

test('openLogFifo uses a fifo that is there, and nothing else that has its name', async () => {
  using scratch = new Scratch();
  await withoutFdLeak(() => {
    openLogFifo(scratch.path, 'stdout').close();
    openLogFifo(scratch.path, 'stdout').close();
    writeFileSync(join(scratch.path, 'stderr'), '');
    expect(() => openLogFifo(scratch.path, 'stderr')).toThrow(/it is not a fifo/);
    expect(() => openLogFifoToPump(scratch.path, 'stderr')).toThrow(/it is not a fifo/);
  });
});

test('ConsoleChannel.receive gives the master with the size that was asked for', async () => {
  await withoutFdLeak(async () => {
    const channel = new ConsoleChannel();
    const [sent, terminal] = openPty();
    const receiving = channel.receive({ size: { rows: 30, columns: 90 } });
    // As a launch does it.
    sendFileBlocking(channel.socket.fd, '/dev/ptmx', sent.fd);
    using master = await receiving;
    sent.close();
    expect(channel.socket.closed).toBe(true);
    expect(getWindowSize(terminal)).toEqual({ rows: 30, columns: 90 });
    setWindowSize(master, { rows: 40, columns: 100 });
    const running = await runWith([terminal, terminal, terminal], 'stty size');
    terminal.close();
    expect(await running.ended).toBe(0);
    setNonblocking(master, true);
    const bytes = Buffer.alloc(100);
    expect(bytes.toString('utf8', 0, readNow(master, bytes))).toBe('40 100\r\n');
    expect(() => readNow(master, bytes)).toThrow(/EIO/);
  });
});

test('ConsoleChannel.receive refuses what is no terminal, and ends when nobody can send one', async () => {
  using scratch = new Scratch();
  await withoutFdLeak(async () => {
    {
      using channel = new ConsoleChannel();
      using stdio = await open(scratch, {});
      sendFileBlocking(channel.socket.fd, 'null', stdio.fds[0].fd);
      expect(await failureOf(channel.receive())).toMatchObject({ code: 'ENOTTY' });
    }
    using channel = new ConsoleChannel();
    channel.socket.close();
    expect(await failureOf(channel.receive())).toMatchObject({ code: 'ERR_SCM_UNEXPECTED_EOF' });
    using other = new ConsoleChannel();
    const receiving = failureOf(other.receive());
    other.close();
    expect(await receiving).toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
  });
});
