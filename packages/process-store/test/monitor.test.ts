import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectSeqpacket, pidfdOpen, pidfdSendSignal, waitPidfd } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { LaunchError } from '@pilotlight/init';
import { expect, test } from 'vitest';
import { InvalidIdError, openStore, type StoredProcess } from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { expectGone, kill, launchAndDie, pairOf, runFixture } from './pair.ts';
import { runnableSpec } from './runnable-spec.ts';
import { Scratch } from './scratch.ts';

const launcher = gatedLauncher;
const sleeper = { spec: runnableSpec('sleep', '1000'), bundle: '/' };

async function textOf(process: StoredProcess, stream: 'stdout' | 'stderr'): Promise<string> {
  let text = '';
  for await (const chunk of process[stream] ?? []) text += String(chunk);
  return text;
}

test(
  'startMonitor of 16 clients at the same time starts one pair',
  { timeout: 120_000 },
  async () => {
    using scratch = new Scratch();
    const clients = Array.from({ length: 16 }, () =>
      runFixture('monitor-client.ts', [scratch.root, '5000']),
    );
    const said = await Promise.all(
      clients.map(async ({ stdout }) => {
        const [line] = (await once(stdout!, 'data')) as [Buffer];
        return String(line).trim();
      }),
    );
    expect(new Set(said).size).toBe(1);
    const { pid, keeperPid } = JSON.parse(said[0]!) as { pid: number; keeperPid: number };
    const description = JSON.parse(
      readFileSync(join(scratch.root, 'monitor.json'), 'utf8'),
    ) as object;
    expect(description).toMatchObject({ pid, keeperPid });
    expect(statSync(join(scratch.root, 'monitor.sock')).mode & 0o777).toBe(0o600);
    const ends = clients.map((client) => once(client, 'exit'));
    for (const client of clients) client.stdin!.end();
    await Promise.all(ends);
    await expectGone(pid, keeperPid);
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'the monitor tells an end that nobody looks at',
  { timeout: 90_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'B' });
    const events = store.watch({ since: 'start' });
    const first = events.next();
    const program = await launchAndDie(scratch.root, 'B', 'one');
    program.end(7);
    expect((await first).value).toMatchObject({ type: 'start', key: 'one' });
    expect((await events.next()).value).toMatchObject({ type: 'exit', exit: { code: 7 } });
    await events.return(undefined as never);
    await store.remove('one');
  },
);

test('startMonitor works below a path that is longer than a socket address', async () => {
  using scratch = new Scratch();
  const root = join(scratch.root, 'x'.repeat(120));
  {
    await using store = await openStore(root, { tier: 'D' });
    const { pid } = await store.startMonitor();
    expect((await store.info()).monitor?.pid).toBe(pid);
  }
  expect(scratch.files()).toEqual(['root']);
});

test('the monitor leaves with its keeper when it has been idle, and nothing of it is left', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'D', launcher, monitorIdleMs: 100 });
  const launched = await store.launch({ ...sleeper, id: 'one' });
  let pids: number[];
  {
    await using other = await openStore(scratch.root, { tier: 'D', monitorIdleMs: 100 });
    await other.startMonitor();
    const { monitor, keeper } = await pairOf(other);
    pids = [monitor, keeper];
    await expect.poll(async () => (await other.info()).monitor?.watching).toBe(1);
  }
  // Nobody is connected, but somebody would miss it.
  expect((await store.info()).monitor).toMatchObject({ watching: 1 });
  await launched.signal('SIGKILL');
  await launched.wait();
  await expectGone(...pids);
  await expect.poll(() => scratch.files().toSorted()).not.toContain('root/keeper.lock');
  expect(scratch.files().filter((name) => /monitor|keeper/.test(name))).toEqual([]);
  expect(await store.info()).toMatchObject({ monitor: undefined, hasKeeper: false });
  await launched.remove();
});

test('a pair whose clients were killed removes the empty root when it leaves', async () => {
  using scratch = new Scratch();
  const client = runFixture('monitor-client.ts', [scratch.root, '100']);
  const [line] = (await once(client.stdout!, 'data')) as [Buffer];
  const { pid, keeperPid } = JSON.parse(String(line)) as { pid: number; keeperPid: number };
  client.kill('SIGKILL');
  await expectGone(pid, keeperPid);
  expect(scratch.files()).toEqual([]);
});

test('a pair whose root was removed leaves', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'D' });
  await store.startMonitor();
  const { monitor, keeper } = await pairOf(store);
  rmSync(scratch.root, { recursive: true });
  await expectGone(monitor, keeper);
  expect(scratch.files()).toEqual([]);
});

test('delete of the last record has the pair leave at once, whatever it would wait for', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, {
    tier: 'B',
    launcher,
    monitorIdleMs: 3_600_000,
  });
  const launched = await store.launch({ ...sleeper, id: 'one' });
  const { monitor, keeper } = await pairOf(store);
  await launched.remove({ force: true });
  expect(scratch.files()).toEqual([]);
  await expectGone(monitor, keeper);
});

test('the monitor records an end at the time it happens, of a process launched before it and of one after', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'D', launcher });
  const exitFile = (id: string) => join(scratch.root, 'p', id, 'exit.json');
  const pidfds = new Map<string, Disposable & { fd: number }>();
  const launchDetached = async (id: string): Promise<void> => {
    const launched = await store.launch({ ...sleeper, id });
    pidfds.set(id, pidfdOpen(launched.pid));
    // From here on nobody but the monitor watches it.
    await launched.detach();
  };
  await launchDetached('before');
  await store.startMonitor();
  await launchDetached('after');
  await expect.poll(async () => (await store.info()).monitor?.watching).toBe(2);
  for (const [id, pidfd] of pidfds) {
    using held = pidfd;
    pidfdSendSignal(held.fd, 'SIGKILL');
    await expect
      .poll(() => JSON.parse(readFileSync(exitFile(id), 'utf8')) as unknown)
      .toMatchObject({ signal: 9, source: 'pidfd' });
    await store.remove(id);
  }
});

test('the monitor reports a bad record, leaves it alone, and goes on with the others', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'B', launcher });
  await store.startMonitor();
  const folder = join(scratch.root, 'p', 'bad');
  mkdirSync(folder);
  writeFileSync(join(folder, 'proc.json'), '{"schema":1,');
  await expect
    .poll(async () => (await store.info()).monitor?.problems)
    .toMatchObject([{ key: 'bad' }]);
  const launched = await store.launch({ ...sleeper, id: 'good' });
  await launched.remove({ force: true });
  expect(readFileSync(join(folder, 'proc.json'), 'utf8')).toBe('{"schema":1,');
  rmSync(folder, { recursive: true });
  await expect.poll(async () => (await store.info()).monitor?.problems).toEqual([]);
});

test('the monitor hangs up on who does not speak its protocol, and serves the others', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'D' });
  await store.startMonitor();
  for (const text of ['no JSON', '{"type":"dance"}', '{"type":"adopt","key":"x"}']) {
    using socket = await connectSeqpacket(join(scratch.root, 'monitor.sock'));
    expect(String((await socket.receive())?.bytes)).not.toBe('');
    await socket.send(Buffer.from(text));
    expect(await socket.receive()).toBeUndefined();
  }
  expect((await store.info()).monitor).toBeDefined();
});

test('the monitor holds what it was given also after it was killed, and lets go when the end is recorded', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'B', launcher });
  const launched = await store.launch({ ...sleeper, id: 'one' });
  const { monitor } = await pairOf(store);
  expect((await store.info()).monitor).toMatchObject({ held: 1 });
  await kill(monitor);
  await expect
    .poll(async () => (await store.info()).monitor)
    .toMatchObject({ held: 1, watching: 1 });
  await launched.signal('SIGKILL');
  await launched.wait();
  await expect
    .poll(async () => (await store.info()).monitor)
    .toMatchObject({ held: 0, watching: 0 });
  await launched.remove();
});

test('the monitor lets go of a process whose launch failed after it was given its pidfd', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, {
    tier: 'B',
    launcher,
    at(step) {
      if (step === 'pinned') throw new Error('stopped here');
    },
  });
  await store.startMonitor();
  // Else the root would be empty, and the pair gone.
  await using other = await openStore(scratch.root, { tier: 'D', launcher });
  await other.launch({ ...sleeper, id: 'other' });
  await expect(store.launch({ ...sleeper, id: 'one' })).rejects.toThrow('stopped here');
  await expect.poll(async () => (await store.info()).monitor).toMatchObject({ held: 0 });
  await other.remove('other', { force: true });
});

test.skipIf(!isRoot)(
  'launch in tier C gives streams, hooks and phases as a launch here does',
  async () => {
    using scratch = new Scratch();
    const bundle = '/';
    {
      await using store = await openStore(scratch.root, { tier: 'C' });
      await (await store.launch({ id: 'warm', spec: runnableSpec('true'), bundle })).wait();
      const before = countOpenFds();
      const transcript: string[] = [];
      const seen: object[] = [];
      const launched = await store.launch({
        id: 'one',
        spec: runnableSpec('sh', '-c', 'read line; echo "out $line"; echo err >&2; exit 3'),
        bundle,
        stdio: ['pipe', 'pipe', 'pipe'],
        transcript: (line) => void transcript.push(line),
        beforeRun: (process) => void seen.push(process),
      });
      expect(seen).toEqual([{ key: 'one', id: 'one', pid: launched.pid }]);
      expect(launched.phases.map(({ name }) => name)).toContain('exec');
      expect(transcript.join('\n')).toContain('procReady');
      launched.stdin!.end('hello\n');
      expect(await textOf(launched, 'stdout')).toBe('out hello\n');
      expect(await textOf(launched, 'stderr')).toBe('err\n');
      expect(await launched.wait()).toMatchObject({ kind: 'exited', code: 3, source: 'parent' });
      // Some may have been on their way to be closed when they were counted first.
      await expect.poll(countOpenFds).toBeLessThanOrEqual(before);
      for (const { id } of (await store.list()).processes) await store.remove(id);
    }
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)('launch in tier C hands descriptors on', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'C' });
  using end = pidfdOpen(process.pid);
  const launched = await store.launch({
    id: 'one',
    spec: runnableSpec('sh', '-c', 'readlink /proc/self/fd/3'),
    bundle: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    preserveFds: [end],
  });
  expect(await textOf(launched, 'stdout')).toContain('pidfd');
  await launched.wait();
  await launched.remove();
});

test.skipIf(!isRoot)('launch in tier C fails with the errors of their classes', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'C' });
  const missing: unknown = await store
    .launch({ id: 'one', spec: runnableSpec('no-such-program'), bundle: '/' })
    .catch((error: unknown) => error);
  expect(missing).toBeInstanceOf(LaunchError);
  expect(missing).toMatchObject({ code: 'ERR_INIT_LAUNCH', errnoCode: 'ENOENT', step: 'exec' });
  expect((missing as LaunchError).hint).toContain('process.args[0]');
  expect((missing as LaunchError).transcript).not.toEqual([]);
  await expect(store.launch({ ...sleeper, id: '../x' })).rejects.toBeInstanceOf(InvalidIdError);
  await store.launch({ ...sleeper, id: 'one' });
  await expect(store.launch({ ...sleeper, id: 'one' })).rejects.toMatchObject({
    name: 'IdInUseError',
    code: 'ERR_STORE_ID_IN_USE',
    id: 'one',
  });
  await store.remove('one', { force: true });
});

test.skipIf(!isRoot)(
  'launch in tier C ends with its signal, and when beforeRun fails, and leaves nothing',
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier: 'C' });
      await store.startMonitor();
      const failing = store.launch({
        ...sleeper,
        id: 'one',
        beforeRun: () => Promise.reject(new Error('not today')),
      });
      await expect(failing).rejects.toThrow('not today');
      const controller = new AbortController();
      const aborted = store.launch({
        ...sleeper,
        id: 'two',
        signal: controller.signal,
        beforeRun: () => controller.abort(new Error('changed my mind')),
      });
      await expect(aborted).rejects.toThrow('changed my mind');
      expect(await store.list()).toEqual({ processes: [], problems: [] });
    }
    expect(scratch.files()).toEqual([]);
  },
);

const early = ['reserved', 'specified', 'prepared', 'recorded', 'released'];

test.skipIf(!isRoot).each(early)(
  'launch in tier C whose client was killed after "%s" leaves nothing',
  async (step) => {
    using scratch = new Scratch();
    const client = runFixture('crash-launcher.ts', [
      scratch.root,
      step,
      'init',
      'exit 7',
      '-',
      'C',
    ]);
    const [, signal] = (await once(client, 'exit')) as [unknown, unknown];
    expect(signal).toBe('SIGKILL');
    {
      await using store = await openStore(scratch.root, { tier: 'C' });
      await expect.poll(async () => (await store.list()).processes).toEqual([]);
      await expect.poll(async () => scratch.files()).not.toContain('root/p/crash');
    }
    await expect.poll(() => scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'launch in tier C whose client was killed when it ran runs on, recorded',
  async () => {
    using scratch = new Scratch();
    const client = runFixture('crash-launcher.ts', [
      scratch.root,
      'started',
      'init',
      'exit 7',
      '-',
      'C',
    ]);
    await once(client, 'exit');
    {
      await using store = await openStore(scratch.root, { tier: 'C' });
      expect(await store.wait('crash')).toMatchObject({ code: 7, source: 'parent', started: true });
      await store.remove('crash');
    }
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'a launch in tier C is done again when its monitor died after it had recorded and before it said so',
  { timeout: 90_000 },
  async () => {
    using scratch = new Scratch();
    let hasKilled = false;
    await using store = await openStore(scratch.root, {
      tier: 'C',
      async at(step) {
        if (step !== 'recorded' || hasKilled) return;
        hasKilled = true;
        await kill((await pairOf(store)).monitor);
      },
    });
    const launched = await store.launch({
      id: 'one',
      spec: runnableSpec('sh', '-c', 'exit 7'),
      bundle: '/',
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    expect(hasKilled).toBe(true);
    expect(await launched.wait()).toMatchObject({ started: true, code: 7 });
    await launched.remove();
  },
);

test.skipIf(!isRoot)(
  'a monitor killed during a launch in tier C runs nothing, and the launch says so',
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'C' });
    let child: number | undefined;
    const launching = store.launch({
      ...sleeper,
      id: 'one',
      async beforeRun({ pid }) {
        child = pid;
        using pidfd = pidfdOpen(pid);
        await kill((await pairOf(store)).monitor);
        // Its gate has closed.
        await waitPidfd(pidfd);
      },
    });
    await expect(launching).rejects.toMatchObject({ code: 'ERR_STORE_MONITOR' });
    await expectGone(child!);
    expect(await store.wait('one')).toMatchObject({ started: false, source: 'keeper' });
    await store.remove('one');
  },
);
