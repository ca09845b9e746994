import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostRootSpec, type OciSpec } from '@pilotlight/init';
import { expect, test } from 'vitest';
import {
  isStoreError,
  type LostEvents,
  openStore,
  type OpenStoreOptions,
  parseLogOptions,
  type ProcessStore,
  readLog,
  type StoreEvent,
  type Tier,
} from '../src/index.ts';
import { parseCriLine } from '../src/log/cri-line.ts';
import { isRoot } from './is-root.ts';
import { expectGone, kill, pairOf } from './pair.ts';
import { Scratch } from './scratch.ts';

const tiers: Tier[] = ['A', 'B', 'C'];
const idle = { monitorIdleMs: 300 };
const quiet = ['ignore', 'ignore', 'ignore'] as const;

function sh(script: string): { spec: OciSpec; bundle: string } {
  return { spec: hostRootSpec({ args: ['sh', '-c', script] }), bundle: '/' };
}

function criLog(scratch: Scratch, options: Record<string, string> = {}) {
  return parseLogOptions('cri', { path: join(scratch.path, 'out.log'), ...options });
}

/** Kills the monitor, and waits until its keeper has started the next one. */
async function killMonitor(store: ProcessStore): Promise<void> {
  const { monitor } = await pairOf(store);
  await kill(monitor);
  await expect.poll(async () => (await pairOf(store)).monitor).not.toBe(monitor);
}

async function contents(path: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { content, stream } of readLog(path, { format: 'cri' })) {
    texts.push(`${stream}: ${content.toString()}`);
  }
  return texts;
}

async function types(events: AsyncGenerator<StoreEvent | LostEvents>, count: number) {
  const taken: string[] = [];
  while (taken.length < count) taken.push((await events.next()).value.type);
  return taken;
}

/** When the pair is gone nothing may be left. */
async function expectNothingLeft(scratch: Scratch): Promise<void> {
  await expect.poll(() => scratch.files().filter((name) => name !== 'out.log')).toEqual([]);
  expect(scratch.mounts()).toEqual([]);
}

test.skipIf(!isRoot).each(tiers)(
  'launch with a CRI log in tier %s writes every line of both streams, also when its launcher and the monitor are gone',
  { timeout: 60_000 },
  async (tier) => {
    using scratch = new Scratch();
    const log = criLog(scratch);
    const script = 'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.2; done; printf end';
    {
      await using store = await openStore(scratch.root, { tier, ...idle });
      await store.launch({ ...sh(script), id: 'one', log });
      await killMonitor(store);
    }
    await using store = await openStore(scratch.root, { tier, ...idle });
    expect(await store.wait('one')).toMatchObject({ kind: 'exited', code: 0 });
    const path = join(scratch.path, 'out.log');
    // A monitor that dies between writing and taking out has the next one write it again.
    const distinct = async () => [...new Set(await contents(path))];
    await expect.poll(async () => (await distinct()).length).toBe(7);
    const told = await distinct();
    expect(told.filter((line) => line.startsWith('stdout'))).toEqual([
      'stdout: out 1',
      'stdout: out 2',
      'stdout: out 3',
      'stdout: end',
    ]);
    expect(told.filter((line) => line.startsWith('stderr'))).toHaveLength(3);
    for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
      expect(parseCriLine(Buffer.from(line))).toBeDefined();
    }
    await store.remove('one');
    await store[Symbol.asyncDispose]();
    await expectNothingLeft(scratch);
  },
);

test.skipIf(!isRoot)(
  'launch with the log driver file needs no monitor, and none with it',
  async () => {
    using scratch = new Scratch();
    const path = join(scratch.path, 'out.log');
    await using store = await openStore(scratch.root);
    const log = parseLogOptions('file', { path });
    const launched = await store.launch({ ...sh('echo out; echo err >&2'), id: 'one', log });
    await launched.wait();
    expect(readFileSync(path, 'utf8')).toBe('out\nerr\n');
    expect((await store.info()).monitor).toBeUndefined();
    await launched.remove();
  },
);

test.skipIf(!isRoot).each(tiers)(
  'launch with a terminal that lasts, in tier %s, is resized and read without its launcher',
  { timeout: 60_000 },
  async (tier) => {
    using scratch = new Scratch();
    const request = sh('stty size; read answer; stty size; echo "got $answer"');
    request.spec.process.terminal = true;
    {
      await using store = await openStore(scratch.root, { tier, ...idle });
      await store.launch({
        ...request,
        id: 'one',
        stdio: { terminal: true },
        log: criLog(scratch),
      });
    }
    await using store = await openStore(scratch.root, { tier, ...idle });
    const launched = await store.load('one');
    await launched.resize(100, 40);
    await killMonitor(store);
    {
      using master = await store.console('one');
      const { write } = await import('node:fs');
      write(master.fd, 'hello\n', () => undefined);
      expect(await launched.wait()).toMatchObject({ kind: 'exited', code: 0 });
    }
    const path = join(scratch.path, 'out.log');
    await expect.poll(async () => (await contents(path)).join('|')).toContain('got hello');
    expect((await contents(path)).join('|')).toContain('40 100');
    await launched.remove();
    await store[Symbol.asyncDispose]();
    await expectNothingLeft(scratch);
  },
);

test.skipIf(!isRoot).each(tiers)(
  'a restart policy in tier %s starts a failing process again up to its limit, and its log goes on',
  { timeout: 60_000 },
  async (tier) => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier, ...idle });
    const events = store.watch({ since: 'start' });
    const restart = { name: 'on-failure', maxRestarts: 2, firstMs: 20 } as const;
    await store.launch({ ...sh('echo run; exit 3'), id: 'one', restart, log: criLog(scratch) });
    expect(await types(events, 8)).toEqual([
      'start',
      'exit',
      'restart',
      'start',
      'exit',
      'restart',
      'start',
      'exit',
    ]);
    expect((await store.load('one')).exit).toMatchObject({ kind: 'exited', code: 3 });
    const path = join(scratch.path, 'out.log');
    await expect.poll(async () => (await contents(path)).length).toBe(3);
    await store.remove('one');
    expect(await types(events, 1)).toEqual(['remove']);
    await events.return(undefined as never);
    await store[Symbol.asyncDispose]();
    await expectNothingLeft(scratch);
  },
);

test.skipIf(!isRoot)(
  'a restart policy leaves a process that ended well',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, idle);
    const restart = { name: 'on-failure', firstMs: 1 } as const;
    const launched = await store.launch({ ...sh('sleep 0.5; exit 0'), id: 'one', restart });
    const pair = await pairOf(store);
    expect(await launched.wait()).toMatchObject({ code: 0 });
    // The monitor leaves: it has nothing more to do for it.
    await expectGone(pair.monitor, pair.keeper);
    expect((await store.load('one')).pid).toBe(launched.pid);
    await launched.remove();
  },
);

test.skipIf(!isRoot).each(tiers)(
  'a restart policy in tier %s survives the death of launcher and monitor, and stop ends it for good',
  { timeout: 60_000 },
  async (tier) => {
    using scratch = new Scratch();
    let first = 0;
    {
      await using store = await openStore(scratch.root, { tier, ...idle });
      const restart = { name: 'always', firstMs: 10 } as const;
      const launched = await store.launch({ ...sh('exec sleep 1000'), id: 'one', restart });
      first = launched.pid;
    }
    await using store = await openStore(scratch.root, { tier, ...idle });
    await killMonitor(store);
    await store.signal('one', 'SIGKILL');
    const pidOf = async () => {
      const { pid, state } = await store.load('one');
      return state === 'running' ? pid : first;
    };
    await expect.poll(pidOf).not.toBe(first);
    const again = await store.load('one');
    expect(again).toMatchObject({ state: 'running', tier });
    const pair = await pairOf(store);
    expect(await store.stop('one', { stopSignal: 'SIGKILL' })).toMatchObject({ signal: 9 });
    await expectGone(pair.monitor, pair.keeper);
    expect(await store.load('one')).toMatchObject({ state: 'stopped', pid: again.pid });
    await store.remove('one');
    await store[Symbol.asyncDispose]();
    await expectNothingLeft(scratch);
  },
);

test.skipIf(!isRoot)(
  'a restart that fails is tried again, and given up at the limit',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    const { mkdirSync, rmdirSync, writeFileSync } = await import('node:fs');
    const fifo = join(scratch.path, 'input');
    writeFileSync(fifo, '');
    await using store = await openStore(scratch.root, idle);
    const restart = { name: 'on-failure', maxRestarts: 3, firstMs: 10 } as const;
    const streams = { stdout: { kind: 'null' }, stderr: { kind: 'null' } } as const;
    const stdio = { stdin: { kind: 'file', path: fifo }, ...streams } as const;
    const launched = await store.launch({ ...sh('sleep 0.5; exit 1'), id: 'one', restart, stdio });
    const { unlinkSync } = await import('node:fs');
    unlinkSync(fifo);
    mkdirSync(fifo);
    const pair = await pairOf(store);
    await launched.wait();
    await expectGone(pair.monitor, pair.keeper);
    expect(await store.load('one')).toMatchObject({ state: 'stopped', exit: { code: 1 } });
    rmdirSync(fifo);
    await store.remove('one');
  },
);

test.skipIf(!isRoot).each(tiers)(
  'exec in tier %s keeps its true status when its launcher is gone',
  { timeout: 60_000 },
  async (tier) => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier, ...idle });
      await store.launch({ ...sh('exec sleep 1000'), id: 'box', stdio: quiet });
      const process = {
        args: ['sh', '-c', 'sleep 0.3; exit 9'],
        cwd: '/',
        env: ['PATH=/usr/bin:/bin'],
      };
      const ran = await store.exec('box', { id: 'e1', process, stdio: quiet });
      expect(ran).toMatchObject({ key: 'box/e1', container: 'box', tier, state: 'running' });
    }
    await using store = await openStore(scratch.root, { tier, ...idle });
    expect(await store.wait('box/e1')).toMatchObject({ kind: 'exited', code: 9 });
    await store.remove('box', { force: true });
    await store[Symbol.asyncDispose]();
    await expectNothingLeft(scratch);
  },
);

test.skipIf(!isRoot)(
  'exec in tier C gives streams as an exec here does',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'C', ...idle });
    await store.launch({ ...sh('exec sleep 1000'), id: 'box', stdio: quiet });
    const process = { args: ['cat'], cwd: '/', env: ['PATH=/usr/bin:/bin'] };
    const ran = await store.exec('box', { process, stdio: ['pipe', 'pipe', 'ignore'] });
    ran.stdin?.end('through');
    const parts: Buffer[] = [];
    for await (const part of ran.stdout ?? []) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString()).toBe('through');
    expect(await ran.wait()).toMatchObject({ code: 0 });
    await store.remove('box', { force: true });
  },
);

const wrong: [string, object][] = [
  [
    'a pipe with a restart policy',
    { stdio: ['ignore', 'pipe', 'ignore'], restart: { name: 'always' } },
  ],
  [
    'inherited streams with a log',
    { stdio: ['ignore', 'inherit', 'inherit'], log: { driver: 'none' } },
  ],
  ['a terminal that the specification does not want', { stdio: { terminal: true } }],
  [
    'a log stream without a log',
    { stdio: { stdin: { kind: 'null' }, stdout: { kind: 'log' }, stderr: { kind: 'null' } } },
  ],
  [
    'a relative path',
    {
      stdio: {
        stdin: { kind: 'file', path: 'x' },
        stdout: { kind: 'null' },
        stderr: { kind: 'null' },
      },
    },
  ],
  ['an unknown driver', { log: { driver: 'syslog' } }],
];

test.each(wrong)('launch refuses %s before it makes anything', async (_, request) => {
  using scratch = new Scratch();
  const options: OpenStoreOptions = { tier: 'D' };
  await using store = await openStore(scratch.root, options);
  const refused: unknown = await store
    .launch({ ...sh('true'), ...request })
    .catch((error: unknown) => error);
  expect(isStoreError(refused, 'ERR_STORE_STDIO_REQUEST')).toBe(true);
  expect((await store.list()).processes).toEqual([]);
});

test.skipIf(!isRoot || !existsSync('/sys/fs/cgroup/pids'))(
  'the monitor tells of forks that failed at the limit of processes',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, idle);
    const events = store.watch({ since: 'start' });
    const request = sh('(for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done); exec sleep 1000');
    request.spec.linux = { ...request.spec.linux, resources: { pids: { limit: 4 } } };
    const restart = { name: 'on-failure', maxRestarts: 0 } as const;
    await store.launch({ ...request, id: 'one', restart });
    const told = await types(events, 2);
    expect(told).toContain('pidsLimit');
    await store.remove('one', { force: true });
    await events.return(undefined as never);
  },
);

test.skipIf(!isRoot)(
  'restart in tier C makes the monitor the parent',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'C', ...idle });
    const first = await store.launch({ ...sh('exit 4'), id: 'one', stdio: quiet });
    expect(await first.wait()).toMatchObject({ code: 4 });
    const ran: string[] = [];
    const again = await store.restart('one', { beforeRun: ({ key }) => void ran.push(key) });
    expect(again).toMatchObject({ id: 'one', tier: 'C' });
    expect(again.pid).not.toBe(first.pid);
    expect(ran).toEqual(['one']);
    expect(await again.wait()).toMatchObject({ code: 4, source: 'parent' });
    await store.remove('one');
  },
);

test.skipIf(!isRoot)(
  'console is refused for a process without a lasting terminal, and starts no monitor for that',
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, idle);
    await store.launch({ ...sh('exec sleep 1000'), id: 'one', stdio: quiet });
    const refused: unknown = await store.console('one').catch((error: unknown) => error);
    expect(isStoreError(refused, 'ERR_STORE_NO_CONSOLE')).toBe(true);
    expect((await store.info()).monitor ?? undefined).toBeUndefined();
    await store.remove('one', { force: true });
  },
);

test.skipIf(!isRoot)(
  'a launcher with a log that was killed before it recorded a process keeps no id',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    const log = criLog(scratch);
    {
      await using store = await openStore(scratch.root, {
        ...idle,
        at(step) {
          if (step === 'prepared') throw new Error('stopped here');
        },
      });
      await expect(store.launch({ ...sh('true'), id: 'one', log })).rejects.toThrow('stopped here');
    }
    await using store = await openStore(scratch.root, idle);
    // As it would be left behind by SIGKILL.
    const { mkdirSync, writeFileSync } = await import('node:fs');
    mkdirSync(join(scratch.root, 'p/one'));
    writeFileSync(join(scratch.root, 'p/one/stdout'), '');
    writeFileSync(join(scratch.root, 'p/one/stderr'), '');
    const launched = await store.launch({ ...sh('echo through'), id: 'one', log });
    await launched.wait();
    await launched.remove();
    expect(await contents(log.driver === 'cri' ? log.path : '')).toEqual(['stdout: through']);
  },
);
