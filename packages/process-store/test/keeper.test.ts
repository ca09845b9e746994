import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pidfdOpen, pidfdSendSignal, pidfdState, waitPidfd } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import { openStore, type Tier } from '../src/index.ts';
import { errnoCode } from '../src/errors.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { expectGone, isAlive, kill, launchAndDie, pairOf } from './pair.ts';
import { runnableSpec } from './runnable-spec.ts';
import { Scratch } from './scratch.ts';

const launcher = gatedLauncher;
const sleeper = { spec: runnableSpec('sleep', '1000'), bundle: '/' };
const quiet = { bundle: '/', stdio: ['ignore', 'ignore', 'ignore'] as const };

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const lists = threads.map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'),
  );
  return lists
    .join(' ')
    .split(' ')
    .map(Number)
    .filter((child) => child > 0);
}

test('the keeper has a session of its own, no file of who started it, and works in /', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, { tier: 'D' });
  await store.startMonitor();
  const { monitor, keeper } = await pairOf(store);
  for (const pid of [monitor, keeper]) {
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const strange = files.filter(
      (file) =>
        !/^(\/dev\/null|anon_inode:.*|pipe:.*|socket:.*)$/.test(file) &&
        !file.startsWith(scratch.root),
    );
    expect(strange).toEqual([]);
    for (const fd of ['0', '1', '2']) {
      expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).toBe('/dev/null');
    }
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('VITEST');
  }
  const [, session] = /^\d+ \(.*\) \S \d+ \d+ (\d+)/.exec(
    readFileSync(`/proc/${keeper}/stat`, 'utf8'),
  )!;
  expect(Number(session)).toBe(keeper);
  expect(childrenOf(keeper)).toEqual([monitor]);
});

test(
  'the keeper starts the monitor again each time that it is killed',
  { timeout: 120_000 },
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'B', launcher });
    const launched = await store.launch({ ...sleeper, id: 'one' });
    const first = await pairOf(store);
    let { monitor } = first;
    for (let round = 0; round < 4; round++) {
      await kill(monitor);
      const next = await pairOf(store);
      expect(next.monitor).not.toBe(monitor);
      expect(next.keeper).toBe(first.keeper);
      ({ monitor } = next);
    }
    await launched.remove({ force: true });
    await expectGone(monitor, first.keeper);
  },
);

test.each(['monitor', 'keeper'] as const)(
  'a %s that was killed takes nothing along, and the next demand finds a whole pair',
  { timeout: 120_000 },
  async (victim) => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root, { tier: 'B', launcher, monitorIdleMs: 100 });
    const launched = await store.launch({ ...sleeper, id: 'one' });
    const pair = await pairOf(store);
    await kill(pair[victim]);
    await expect
      .poll(async () => (await store.info()).monitor)
      .toMatchObject({ unprotected: victim === 'keeper', watching: 1, held: 1 });
    expect((await store.info()).hasKeeper).toBe(victim === 'monitor');
    await launched.signal('SIGKILL');
    await launched.wait();
    // The record is still there: only idleness makes them leave.
    await expectGone(pair.monitor, pair.keeper);
    await store.startMonitor();
    const next = await pairOf(store);
    expect((await store.info()).monitor).toMatchObject({ unprotected: false });
    expect(next.keeper).not.toBe(pair.keeper);
    await launched.remove();
    await expectGone(next.monitor, next.keeper);
  },
);

test.skipIf(!isRoot)(
  'the keeper inherits the processes of a monitor that was killed with its zygote, records them and reaps strangers',
  { timeout: 120_000 },
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier: 'C' });
      const ids = Array.from({ length: 10 }, (_, index) => `p${index}`);
      const pidfds = [];
      for (const id of ids) {
        const { pid } = await store.launch({ ...quiet, id, spec: runnableSpec('sleep', '1000') });
        pidfds.push(pidfdOpen(pid));
      }
      const { monitor, keeper } = await pairOf(store);
      process.kill(keeper, 'SIGSTOP');
      // Half of them are dead when they come to the keeper, half come alive.
      await kill(monitor);
      for (const pidfd of pidfds.slice(0, 5)) pidfdSendSignal(pidfd, 'SIGKILL');
      await Promise.all(pidfds.slice(0, 5).map((pidfd) => waitPidfd(pidfd)));
      process.kill(keeper, 'SIGCONT');
      for (const pidfd of pidfds.slice(5)) pidfdSendSignal(pidfd, 'SIGTERM');
      for (const pidfd of pidfds.slice(5)) pidfdSendSignal(pidfd, 'SIGKILL');
      for (const id of ids) {
        const exit = await store.wait(id);
        expect(exit).toMatchObject({ kind: 'signaled', signal: 9, source: 'keeper' });
      }
      for (const pidfd of pidfds) pidfd.close();
      // The zygote of the monitor is a stranger to it, and does not stay as a zombie either.
      const next = await pairOf(store);
      await expect.poll(() => childrenOf(keeper)).toEqual([next.monitor]);
      for (const id of ids) await store.remove(id);
      await expectGone(next.monitor, keeper);
    }
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'ends are true whenever the monitor is killed, in tiers A to C',
  { timeout: 300_000 },
  async () => {
    const tiers: Tier[] = ['A', 'B', 'C'];
    for (const tier of tiers) {
      using scratch = new Scratch();
      await using store = await openStore(scratch.root, { tier });
      await store.startMonitor();
      for (let round = 0; round < 5; round++) {
        const ids = Array.from({ length: 6 }, (_, index) => `r${round}-${index}`);
        const { monitor } = await pairOf(store);
        for (const [index, id] of ids.entries()) {
          const spec = runnableSpec('sh', '-c', `sleep 0.${index}; exit ${index + 10}`);
          const launched = await store.launch({ ...quiet, id, spec });
          await launched.detach();
        }
        // A moment that is another one in each round.
        await new Promise((resolve) => setTimeout(resolve, round * 60));
        if (isAlive(monitor)) await kill(monitor);
        for (const [index, id] of ids.entries()) {
          expect(await store.wait(id)).toMatchObject({ kind: 'exited', code: index + 10 });
          await store.remove(id);
          // Else the store would be empty, and its pair gone, after the last one.
          if (index === 0)
            await store.launch({ ...quiet, id: `k${round}`, spec: runnableSpec('true') });
        }
        if (round > 0) await store.remove(`k${round - 1}`, { force: true });
      }
      await store.remove('k4', { force: true });
    }
  },
);

/** A root on a file system that is full, until the result is called. */
function fill(root: string): () => void {
  const ballast = join(root, 'ballast');
  mkdirSync(ballast);
  for (let index = 0; ; index++) {
    try {
      writeFileSync(join(ballast, String(index)), '');
    } catch (error) {
      if (errnoCode(error) !== 'ENOSPC') throw error;
      return () => rmSync(ballast, { recursive: true });
    }
  }
}

test.skipIf(!isRoot).each(['C', 'D'] as const)(
  'a process whose end cannot be written is not reaped before it can, in tier %s',
  async (tier) => {
    using scratch = new Scratch();
    mkdirSync(scratch.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=64,mode=0700', 'none', scratch.root]);
    try {
      await using store = await openStore(scratch.root, { tier });
      const launched = await store.launch({
        ...quiet,
        id: 'one',
        spec: runnableSpec('sleep', '1000'),
      });
      using pidfd = pidfdOpen(launched.pid);
      const makeRoom = fill(scratch.root);
      pidfdSendSignal(pidfd, 'SIGKILL');
      await waitPidfd(pidfd);
      // Long enough for the first attempts.
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(pidfdState(pidfd)).toBe('exited');
      makeRoom();
      expect(await launched.wait()).toMatchObject({ signal: 9, source: 'parent' });
      await waitPidfd(pidfd, { until: 'reaped' });
      await launched.remove();
    } finally {
      execFileSync('umount', ['-l', scratch.root]);
    }
  },
);

test.skipIf(!isRoot)('the keeper reaps nothing whose end it cannot write', async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.root);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=64,mode=0700', 'none', scratch.root]);
  try {
    const program = await launchAndDie(scratch.root, 'C', 'one');
    await using store = await openStore(scratch.root, { tier: 'C' });
    using pidfd = pidfdOpen((await store.load('one')).pid);
    const { monitor } = await pairOf(store);
    await kill(monitor);
    await pairOf(store);
    const makeRoom = fill(scratch.root);
    program.end(7);
    await waitPidfd(pidfd);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(pidfdState(pidfd)).toBe('exited');
    makeRoom();
    expect(await store.wait('one')).toMatchObject({ code: 7, source: 'keeper' });
    await store.remove('one');
  } finally {
    execFileSync('umount', ['-l', scratch.root]);
  }
});
