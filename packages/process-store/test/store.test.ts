import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isPin, pidfdOpen, readiness, socketpair, tryLock, unpin } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { beforeAll, expect, test } from 'vitest';
import {
  isStoreError,
  type LaunchStep,
  openStore,
  type OpenStoreOptions,
  type ProcessStore,
  type Tier,
} from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';
import { runnableSpec as specOf } from './runnable-spec.ts';

const tierD: OpenStoreOptions = { tier: 'D' };

/** In tier C the monitor launches, which takes no launcher of ours. */
// What waits has one lasting epoll descriptor, made when it is first needed, which may be late.
beforeAll(async () => {
  const [one, other] = socketpair('seqpacket');
  other.close();
  await readiness.wait(one, 'readable');
  one.close();
});

const open = (scratch: Scratch, options: OpenStoreOptions = {}): Promise<ProcessStore> =>
  openStore(scratch.root, {
    ...(options.tier === 'C' ? {} : { launcher: gatedLauncher }),
    ...options,
  });

const sleeper = { spec: specOf('sleep', '1000'), bundle: '/' };
const short = { spec: specOf('sh', '-c', 'exit 7'), bundle: '/' };

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isStoreError(error) && error.hint !== '' ? error.code : error;
  }
}

/** Changes a file that we would never change. */
function forge(scratch: Scratch, id: string, name: string, change: object): void {
  const path = join(scratch.root, 'p', id, name);
  const record = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...record, ...change }));
}

const tiers: { tier: Tier; options: OpenStoreOptions }[] = (
  isRoot ? (['A', 'B', 'C', 'D'] as const) : (['B', 'D'] as const)
).map((tier) => ({ tier, options: { tier } }));

test.each(tiers)(
  'launch, wait and delete leave nothing behind in tier $tier',
  async ({ tier, options }) => {
    using scratch = new Scratch();
    // The first use opens what stays open: libc and the epoll set of this process.
    {
      await using store = await open(scratch, options);
      await (await store.launch(short)).wait();
    }
    const before = countOpenFds();
    {
      await using store = await open(scratch, options);
      expect(await store.tier()).toBe(tier);
      const launched = await store.launch({ ...short, id: 'one' });
      expect(launched).toMatchObject({ id: 'one', state: 'running', tier, bundle: '/' });
      expect(launched.spec.args).toEqual(['sh', '-c', 'exit 7']);
      const exit = await launched.wait();
      expect(exit).toMatchObject({ kind: 'exited', code: 7, started: true });
      // This launcher is reaped before it has told: the monitor may be faster.
      expect(['parent', ...(tier === 'B' ? ['pidfd'] : [])]).toContain(
        exit.kind !== 'unknown' && exit.source,
      );
      expect(launched).toMatchObject({ state: 'stopped', exit });
      expect((await store.load('one')).exit).toEqual(exit);
      const { processes } = await store.list();
      for (const process of processes) await process.remove();
    }
    await expect.poll(countOpenFds).toBeLessThanOrEqual(before);
    // A busy machine may keep monitor and keeper from leaving at once.
    await expect.poll(() => scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.each(tiers)(
  'launch writes files for the owner only, in tier $tier',
  async ({ tier, options }) => {
    using scratch = new Scratch();
    await using store = await open(scratch, options);
    const launched = await store.launch({ ...sleeper, id: 'one' });
    const folder = join(scratch.root, 'p', 'one');
    const mode = (path: string): number => statSync(path).mode & 0o777;
    expect([scratch.root, join(scratch.root, 'p'), folder].map(mode)).toEqual([
      0o700, 0o700, 0o700,
    ]);
    for (const name of ['lock', 'spec.json', 'proc.json', 'released']) {
      expect(mode(join(folder, name))).toBe(0o600);
    }
    expect(isPin(join(folder, 'pin'))).toBe(tier === 'A');
    const spec = readFileSync(join(folder, 'spec.json'), 'utf8');
    expect(spec).toContain('"hard":18446744073709551615');
    const proc = JSON.parse(readFileSync(join(folder, 'proc.json'), 'utf8')) as object;
    expect(proc).toMatchObject({ schema: 1, id: 'one', pid: launched.pid, tier, gate: 'held' });
    await launched.remove({ force: true });
  },
);

const steps: LaunchStep[] = ['reserved', 'specified', 'prepared', 'recorded', 'released'];

test.each(tiers.flatMap(({ tier, options }) => steps.map((step) => ({ step, tier, options }))))(
  'launch that fails after "$step" removes everything and throws what failed, in tier $tier',
  async ({ step, options }) => {
    using scratch = new Scratch();
    const before = countOpenFds();
    {
      await using store = await open(scratch, {
        ...options,
        at(reached) {
          if (reached === step) throw new Error('stopped here');
        },
      });
      await expect(store.launch({ ...short, id: 'one' })).rejects.toThrow('stopped here');
      expect((await store.list()).processes).toEqual([]);
      expect(existsSync(join(scratch.root, 'p', 'one'))).toBe(false);
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
    await expect.poll(countOpenFds).toBeLessThanOrEqual(before);
  },
);

test.each(tiers)(
  'launch whose program cannot run leaves nothing, in tier $tier',
  async ({ options }) => {
    using scratch = new Scratch();
    {
      await using store = await open(scratch, options);
      const request = { id: 'one', spec: specOf('no-such-program'), bundle: '/' };
      await expect(store.launch(request)).rejects.toThrow('ENOENT');
      expect(await codeOf(store.load('one'))).toBe('ERR_STORE_NOT_FOUND');
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test('launch refuses an aborted signal, a bad id and a bad specification before it makes anything', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const reason = new Error('changed my mind');
  await expect(store.launch({ ...short, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await codeOf(store.launch({ ...short, id: '../x' }))).toBe('ERR_STORE_INVALID_ID');
  await expect(store.launch({ ...short, spec: {} as never })).rejects.toThrow('ociVersion');
  expect((await store.list()).processes).toEqual([]);
});

test('launch hands its signal on for the launch alone: a program that runs is not ended by it', async () => {
  using scratch = new Scratch();
  const handed: object[] = [];
  await using store = await open(scratch, {
    launcher(config, options) {
      handed.push(options);
      return gatedLauncher(config, options);
    },
  });
  const controller = new AbortController();
  const process = await store.launch({ ...sleeper, id: 'one', signal: controller.signal });
  expect(handed).toEqual([expect.objectContaining({ launchSignal: controller.signal })]);
  expect(handed[0]).not.toHaveProperty('signal');
  controller.abort();
  await process.signal('SIGTERM');
  expect(await process.wait()).toMatchObject({ kind: 'signaled', signal: 15 });
});

test('launch gives an id to exactly one of those who want it', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const attempts = Array.from({ length: 8 }, () => store.launch({ ...sleeper, id: 'one' }));
  const codes = await Promise.all(attempts.map(codeOf));
  expect(codes.map(String).toSorted((a, b) => a.localeCompare(b))).toEqual([
    ...Array.from({ length: 7 }, () => 'ERR_STORE_ID_IN_USE'),
    'no error',
  ]);
  await store.remove('one', { force: true });
});

test('load names what exists when an id does not', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  await store.launch({ ...short, id: 'here' });
  const error: unknown = await store.load('there').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'ERR_STORE_NOT_FOUND', id: 'there' });
  expect((error as { hint: string }).hint).toContain('here');
  await store.remove('here', { force: true });
});

test('load and list of an existing root mount and change nothing', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  const launched = await store.launch(sleeper);
  // The launch is told after it has come back.
  await expect.poll(() => scratch.files().join()).toContain('told.start');
  const files = scratch.files();
  {
    await using other = await open(scratch, { create: false });
    expect((await other.load(launched.id)).state).toBe('running');
    expect((await other.list()).processes).toHaveLength(1);
  }
  expect(scratch.mounts()).toEqual([]);
  expect(scratch.files()).toEqual(files);
  await launched.remove({ force: true });
});

test('openStore without create takes a missing root for an empty store and leaves it missing', async () => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch, { create: false });
    expect(await store.list()).toEqual({ processes: [], problems: [] });
    expect(await codeOf(store.load('x'))).toBe('ERR_STORE_NOT_FOUND');
    expect(await codeOf(store.wait('x'))).toBe('ERR_STORE_NOT_FOUND');
    expect(await codeOf(store.signal('x', 'SIGTERM'))).toBe('ERR_STORE_NOT_FOUND');
    expect(await codeOf(store.remove('x'))).toBe('ERR_STORE_NOT_FOUND');
    expect(scratch.files()).toEqual([]);
  }
  expect(scratch.files()).toEqual([]);
});

test('list reports a bad record, shows the others, and leaves the bad one as it is', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  await (await store.launch({ ...short, id: 'good' })).wait();
  await (await store.launch({ ...short, id: 'bad' })).wait();
  const path = join(scratch.root, 'p', 'bad', 'exit.json');
  writeFileSync(path, '{"schema":1,');
  writeFileSync(join(scratch.root, 'p', 'stray'), '');
  const { processes, problems } = await store.list();
  expect(processes.map(({ id }) => id)).toEqual(['good']);
  expect(problems.map(({ id }) => id)).toEqual(['bad', 'stray']);
  for (const { problem } of problems)
    expect(isStoreError(problem, 'ERR_STORE_BAD_RECORD')).toBe(true);
  expect(await codeOf(store.load('bad'))).toBe('ERR_STORE_BAD_RECORD');
  expect(await codeOf(store.remove('bad'))).toBe('ERR_STORE_BAD_RECORD');
  expect(readFileSync(path, 'utf8')).toBe('{"schema":1,');
});

test('wait in several places at once tells the same end to all', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  await using other = await open(scratch);
  const launched = await store.launch({ ...sleeper, id: 'one' });
  const waits = [
    launched.wait(),
    store.wait('one'),
    other.wait('one'),
    (await other.load('one')).wait(),
  ];
  await other.signal('one', 'SIGTERM');
  const exits = await Promise.all(waits);
  for (const exit of exits)
    expect(exit).toMatchObject({ kind: 'signaled', signal: 15, core: false });
  expect(await store.wait('one')).toEqual((await store.load('one')).exit);
  await store.remove('one');
});

test.each(tiers)(
  'wait ends with the reason of its signal and leaves the process alone, in tier $tier',
  async ({ options }) => {
    using scratch = new Scratch();
    await using store = await open(scratch, options);
    await using other = await open(scratch, options);
    const launched = await store.launch({ ...sleeper, id: 'one' });
    const controller = new AbortController();
    const waits = [launched.wait(controller), other.wait('one', controller)];
    setImmediate(() => controller.abort('enough'));
    for (const wait of waits) await expect(wait).rejects.toBe('enough');
    expect((await store.load('one')).state).toBe('running');
    await launched.remove({ force: true });
  },
);

test('wait goes on with the pin when the launching store lets go', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const launched = await store.launch(sleeper);
  const waiting = launched.wait();
  await launched.detach();
  await store.signal(launched.id, 'SIGKILL');
  expect(await waiting).toMatchObject({ kind: 'signaled', signal: 9 });
  await launched.remove();
});

test.skipIf(!isRoot)('wait tells a status after the end, with nobody there to see it', async () => {
  using scratch = new Scratch();
  const end = join(scratch.path, 'end');
  {
    await using store = await open(scratch);
    const launched = await store.launch({
      id: 'one',
      spec: specOf('sh', '-c', `until [ -e ${end} ]; do sleep 0.01; done; exit 7`),
      bundle: '/',
    });
    await launched.detach();
  }
  writeFileSync(end, '');
  await using store = await open(scratch);
  expect(await store.wait('one')).toMatchObject({
    kind: 'exited',
    code: 7,
    source: 'pin',
    exitedAt: null,
  });
  await store.remove('one');
});

/** A record without exit whose process has ended and been forgotten. */
async function makeLost(scratch: Scratch): Promise<void> {
  await using store = await open(scratch, tierD);
  const launched = await store.launch({ ...sleeper, id: 'one' });
  await launched.detach();
  const ended = pidfdOpen(launched.pid);
  await store.signal('one', 'SIGKILL');
  const { waitReaped } = await import('../src/supervision/wait-reaped.ts');
  await waitReaped(ended);
  ended.close();
}

test('load records an end that nothing kept as unknown, in tier D', async () => {
  using scratch = new Scratch();
  await makeLost(scratch);
  await using store = await open(scratch);
  const lost = await store.load('one');
  expect(lost).toMatchObject({ state: 'stopped', exit: { kind: 'unknown', reason: 'no-holder' } });
  expect(await store.wait('one')).toEqual(lost.exit);
  expect(lost.exit).not.toHaveProperty('code');
  await store.remove('one');
});

test.each([
  {
    file: 'a start time that is not that of the process',
    change: { startTicks: '1', pidfsIno: null },
  },
  { file: 'an inode that is not that of the process', change: { pidfsIno: '1' } },
])('load takes a pid with $file for reused, and never signals it', async ({ change }) => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  const launched = await store.launch({ ...sleeper, id: 'one' });
  forge(scratch, 'one', 'proc.json', change);
  expect(await codeOf(store.signal('one', 'SIGKILL'))).toBe('ERR_STORE_NOT_RUNNING');
  expect((await store.load('one')).exit).toMatchObject({ kind: 'unknown', reason: 'pid-reused' });
  // The stranger lives.
  process.kill(launched.pid, 0);
  process.kill(launched.pid, 'SIGKILL');
  await store.remove('one');
});

test('load records what ran in another boot as unknown, whatever has its pid now', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  const launched = await store.launch({ ...sleeper, id: 'one' });
  forge(scratch, 'one', 'proc.json', { bootId: 'another' });
  expect((await store.load('one')).exit).toMatchObject({ kind: 'unknown', reason: 'reboot' });
  process.kill(launched.pid, 'SIGKILL');
  await store.remove('one');
});

test('load records nothing about a process of another pid namespace', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  await store.launch({ ...sleeper, id: 'one' });
  const path = join(scratch.root, 'p', 'one', 'proc.json');
  const before = readFileSync(path, 'utf8');
  forge(scratch, 'one', 'proc.json', { namespaces: { pid: 'pid:[1]', mnt: 'mnt:[1]' } });
  expect((await store.load('one')).state).toBe('unknown');
  // The store that launched it is told by the parent; this one is not.
  const other = await open(scratch, tierD);
  for (const attempt of [
    () => other.wait('one'),
    () => store.signal('one', 'SIGKILL'),
    () => store.remove('one', { force: true }),
  ]) {
    expect(await codeOf(attempt())).toBe('ERR_STORE_FOREIGN_NAMESPACE');
  }
  expect(await codeOf(store.remove('one'))).toBe('ERR_STORE_NOT_STOPPED');
  expect(existsSync(join(scratch.root, 'p', 'one', 'exit.json'))).toBe(false);
  writeFileSync(path, before);
  await store.remove('one', { force: true });
});

test.skipIf(!isRoot)('load pins a process again whose pin was unmounted', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  await store.launch({ ...sleeper, id: 'one' });
  const pin = join(scratch.root, 'p', 'one', 'pin');
  unpin(pin);
  expect((await store.load('one')).state).toBe('running');
  expect(isPin(pin)).toBe(true);
  await store.remove('one', { force: true });
});

test.skipIf(!isRoot)('load refuses a pin that holds another process', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const { pid } = await store.launch({ ...sleeper, id: 'one' });
  forge(scratch, 'one', 'proc.json', { pidfsIno: '1' });
  expect(await codeOf(store.load('one'))).toBe('ERR_STORE_BAD_RECORD');
  process.kill(pid, 'SIGKILL');
});

test.skipIf(!isRoot)(
  'load removes a pin beside an exit, and temporary files that nobody writes any more',
  async () => {
    using scratch = new Scratch();
    await using store = await open(scratch);
    const launched = await store.launch({ ...sleeper, id: 'one' });
    await launched.detach();
    const folder = join(scratch.root, 'p', 'one');
    const unknown = { rawStatus: null, code: null, signal: null, core: false, oom: null };
    const at = new Date().toISOString();
    const exit = { schema: 1, id: 'one', ...unknown, source: 'unknown', reason: 'no-holder' };
    writeFileSync(
      join(folder, 'exit.json'),
      JSON.stringify({ ...exit, started: true, exitedAt: null, observedAt: at }),
    );
    writeFileSync(join(folder, '.exit.json.1.1'), '');
    writeFileSync(join(folder, '.exit.json.1.2'), '');
    using written = tryLock(join(folder, '.exit.json.1.2'), 'exclusive');
    expect(written).toBeDefined();
    expect((await store.load('one')).state).toBe('stopped');
    expect(existsSync(join(folder, 'pin'))).toBe(false);
    expect(existsSync(join(folder, '.exit.json.1.1'))).toBe(false);
    expect(existsSync(join(folder, '.exit.json.1.2'))).toBe(true);
    process.kill(launched.pid, 'SIGKILL');
    await store.remove('one');
  },
);

test.each(tiers)('delete wants a stopped process or force, in tier $tier', async ({ options }) => {
  using scratch = new Scratch();
  await using store = await open(scratch, options);
  await using other = await open(scratch, options);
  const launched = await store.launch({ ...sleeper, id: 'one' });
  expect(await codeOf(other.remove('one'))).toBe('ERR_STORE_NOT_STOPPED');
  const waiting = launched.wait();
  const alsoWaiting = other.wait('one');
  await other.remove('one', { force: true });
  expect(await waiting).toMatchObject({ kind: 'signaled', signal: 9 });
  expect(await alsoWaiting).toMatchObject({ kind: 'signaled', signal: 9 });
  expect(await codeOf(other.remove('one'))).toBe('ERR_STORE_NOT_FOUND');
});

test('signal says how a process ended that takes none any more', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const launched = await store.launch({ ...short, id: 'one' });
  await launched.wait();
  const error: unknown = await launched.signal('SIGTERM').catch((thrown: unknown) => thrown);
  expect(isStoreError(error, 'ERR_STORE_NOT_RUNNING')).toBe(true);
  expect((error as Error).message).toContain('exited with 7');
  await expect(store.signal('one', 999)).rejects.toMatchObject({
    code: 'ERR_SCM_INVALID_ARGUMENT',
  });
  await launched.remove();
});

test('a handle never acts on a later process with its id', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  await store.launch({ ...sleeper, id: 'one' });
  const old = await store.load('one');
  await store.remove('one', { force: true });
  await store.launch({ ...sleeper, id: 'one' });
  expect(await codeOf(old.signal('SIGKILL'))).toBe('ERR_STORE_NOT_FOUND');
  expect(await codeOf(old.remove({ force: true }))).toBe('ERR_STORE_NOT_FOUND');
  expect(await codeOf(old.wait({ signal: AbortSignal.timeout(30_000) }))).toBe(
    'ERR_STORE_NOT_FOUND',
  );
  expect((await store.load('one')).state).toBe('running');
  await store.remove('one', { force: true });
});

test('tier is probed once for all stores of a root', async () => {
  using scratch = new Scratch();
  let probes = 0;
  const probe = async () => {
    probes++;
    return { exitInfo: true, pins: false };
  };
  {
    await using store = await open(scratch, { probe });
    expect(await store.tier()).toBe('B');
    await using other = await open(scratch, { probe });
    expect(await other.tier()).toBe('B');
    expect(probes).toBe(1);
    const meta = JSON.parse(readFileSync(join(scratch.root, 'meta.json'), 'utf8')) as {
      probe: { kernelRelease: string };
    };
    meta.probe.kernelRelease = '4.19.0';
    writeFileSync(join(scratch.root, 'meta.json'), JSON.stringify(meta));
    await using later = await open(scratch, { probe });
    expect(await later.tier()).toBe('B');
    expect(probes).toBe(2);
  }
});

test('a root that a store did not make stays, empty', async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.root, { mode: 0o700 });
  {
    await using store = await open(scratch);
    await (await store.launch(short)).wait();
    for (const { id } of (await store.list()).processes) await store.remove(id);
  }
  expect(scratch.files()).toEqual(['root']);
  expect(scratch.mounts()).toEqual([]);
});

test.each([
  ['a directory that others may write to', (root: string) => mkdirSync(root)],
  [
    'a directory with other files',
    (root: string) => {
      mkdirSync(root, { mode: 0o700 });
      writeFileSync(join(root, 'letter.txt'), '');
    },
  ],
  ['a file', (root: string) => writeFileSync(root, '')],
  ['a link that leads nowhere', (root: string) => symlinkSync('/nonexistent/x', root)],
])('openStore refuses %s', async (what, make) => {
  using scratch = new Scratch();
  make(scratch.root);
  if (what.includes('others')) chmodSync(scratch.root, 0o777);
  const files = scratch.files();
  expect(await codeOf(openStore(scratch.root))).toBe('ERR_STORE_ROOT');
  expect(scratch.files()).toEqual(files);
});

test.skipIf(!isRoot)(
  'openStore tells an unprivileged caller in one error, and makes nothing',
  async () => {
    using scratch = new Scratch();
    process.seteuid!(65_534);
    try {
      expect(await codeOf(openStore(scratch.root))).toBe('ERR_STORE_ROOT');
      expect(await codeOf(openStore(scratch.root, { create: false }))).toBe('ERR_STORE_ROOT');
    } finally {
      process.seteuid!(0);
    }
    expect(scratch.files()).toEqual([]);
  },
);

test.each(tiers)(
  'stores that launch and delete side by side neither disturb each other nor leave anything, in tier $tier',
  { timeout: 60_000 },
  async ({ options }) => {
    using scratch = new Scratch();
    const before = countOpenFds();
    const worker = async (name: number): Promise<void> => {
      for (let round = 0; round < 6; round++) {
        await using store = await open(scratch, options);
        const launched = await store.launch({ ...short, id: `p${name}` });
        expect(await launched.wait()).toMatchObject({ code: 7 });
        expect((await store.list()).problems).toEqual([]);
        await launched.remove();
      }
    };
    await Promise.all([1, 2, 3, 4].map(worker));
    // Whoever was last may have found another still at work, which then had nothing left to tidy.
    await (await open(scratch, options))[Symbol.asyncDispose]();
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
    await expect.poll(countOpenFds).toBeLessThanOrEqual(before);
  },
);

test('delete runs the poststop hooks of the specification, once, and tells of one that fails', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch, tierD);
  const log = join(scratch.root, '..', `poststop-${process.pid}`);
  const hook = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] });
  const spec = {
    ...short.spec,
    hooks: { poststop: [hook(`cat > '${log}'`), hook('echo text; exit 3')] },
  };
  const launched = await store.launch({ ...short, spec, id: 'one' });
  await launched.wait();
  expect(existsSync(log)).toBe(false);
  const warnings: Error[] = [];
  await store.remove('one', { onWarning: (warning) => void warnings.push(warning) });
  expect(JSON.parse(readFileSync(log, 'utf8'))).toEqual({
    ociVersion: '1.3.0',
    id: 'one',
    status: 'stopped',
    bundle: '/',
  });
  rmSync(log);
  expect(warnings).toMatchObject([{ step: 'poststop', index: 1 }]);
  expect(warnings[0]!.message).toContain('it exited with 3, and said: text');
  expect(await codeOf(store.remove('one'))).toBe('ERR_STORE_NOT_FOUND');
});

test('launches into a fresh root that never end do not keep others out of it', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch);
  const stop = new AbortController();
  let launched = 0;
  const busy = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await store.launch(short);
      launched += 1;
    }
  };
  const crowd = Array.from({ length: 8 }, async () => {
    await store.launch(short);
  });
  const all = Promise.all([busy(), busy(), busy()]);
  await Promise.all(crowd);
  stop.abort();
  await all;
  expect(launched).toBeGreaterThan(0);
  for (const process of (await store.list()).processes) await process.remove({ force: true });
});
