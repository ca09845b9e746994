import { pidfdOpen, waitPidfd } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import {
  CannotTravelError,
  isStoreError,
  openStore,
  type Tier,
  TierError,
  tierFacts,
} from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { expectGone, isAlive, kill, launchAndDie, pairOf } from './pair.ts';
import { runnableSpec } from './runnable-spec.ts';
import { Scratch } from './scratch.ts';

const all: Tier[] = ['A', 'B', 'C', 'D'];

test('tierFacts has each tier once, the best first', () => {
  expect(tierFacts.map(({ tier }) => tier)).toEqual(all);
});

test.each([
  { probe: { exitInfo: true, pins: true }, best: 'A', lower: all },
  { probe: { exitInfo: true, pins: false }, best: 'B', lower: ['B', 'C', 'D'] as Tier[] },
  { probe: { exitInfo: false, pins: false }, best: 'C', lower: ['C', 'D'] as Tier[] },
])('openStore takes $best or a lower tier for $probe, and refuses a higher one', async (row) => {
  const probe = async () => row.probe;
  using scratch = new Scratch();
  {
    await using store = await openStore(scratch.root, { probe });
    expect(await store.tier()).toBe(row.best);
    expect(await store.info()).toMatchObject({ root: scratch.root, bestTier: row.best });
  }
  for (const tier of row.lower) {
    await using store = await openStore(scratch.root, { probe, tier });
    expect(await store.info()).toMatchObject({ tier, bestTier: row.best, probe: row.probe });
  }
  for (const tier of all.filter((other) => !row.lower.includes(other))) {
    const refused: unknown = await openStore(scratch.root, { probe, tier }).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(TierError);
    expect(refused).toMatchObject({ code: 'ERR_STORE_TIER', wanted: tier, best: row.best });
    // What it made to look.
    await (await openStore(scratch.root, { probe }))[Symbol.asyncDispose]();
  }
  expect(scratch.files()).toEqual([]);
});

test.skipIf(!isRoot)(
  'recovery goes by the tier of each record, not by that of the store',
  async () => {
    using scratch = new Scratch();
    const stores = await Promise.all(all.map((tier) => openStore(scratch.root, { tier })));
    for (const [index, store] of stores.entries()) {
      const spec = runnableSpec('sh', '-c', 'exit 7');
      await store.launch({
        id: `p${index}`,
        spec,
        bundle: '/',
        stdio: ['ignore', 'ignore', 'ignore'],
      });
    }
    for (const [index, tier] of all.entries()) {
      const store = stores[(index + 1) % all.length]!;
      const found = await store.load(`p${index}`);
      expect(found.tier).toBe(tier);
      expect(await found.wait()).toMatchObject({ kind: 'exited', code: 7 });
      await found.remove();
    }
    for (const store of stores) await store[Symbol.asyncDispose]();
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

const unknown = { kind: 'unknown', reason: 'no-holder' };
const seven = (source: string) => ({ kind: 'exited', code: 7, source });
/** The monitor holds a pidfd, and whoever waits opens the pin: either may be first. */
const sevenOf = (source: RegExp) => ({
  kind: 'exited',
  code: 7,
  source: expect.stringMatching(source) as string,
});
const cases = [
  { victims: 'nobody', tier: 'A', exit: seven('pin') },
  { victims: 'nobody', tier: 'B', exit: seven('pidfd') },
  { victims: 'nobody', tier: 'C', exit: seven('parent') },
  { victims: 'nobody', tier: 'D', exit: unknown },
  { victims: 'monitor', tier: 'A', exit: sevenOf(/^(pin|pidfd)$/) },
  { victims: 'monitor', tier: 'B', exit: seven('pidfd') },
  { victims: 'monitor', tier: 'C', exit: seven('keeper') },
  { victims: 'keeper', tier: 'A', exit: sevenOf(/^(pin|pidfd)$/) },
  { victims: 'keeper', tier: 'B', exit: seven('pidfd') },
  { victims: 'keeper', tier: 'C', exit: seven('parent') },
  { victims: 'both', tier: 'A', exit: seven('pin') },
  { victims: 'both', tier: 'B', exit: unknown },
  { victims: 'both', tier: 'C', exit: unknown },
] as const;

test.skipIf(!isRoot).each(cases)(
  'wait for a program whose launcher was killed, and $victims of the pair, in tier $tier: $exit.kind',
  { timeout: 90_000 },
  async ({ victims, tier, exit }) => {
    using scratch = new Scratch();
    const program = await launchAndDie(scratch.root, tier, 'one');
    const pids: number[] = [];
    {
      await using store = await openStore(scratch.root, { tier, monitorIdleMs: 2000 });
      // In the other tiers none is there unless asked for.
      if (tier === 'A' && victims !== 'nobody') await store.startMonitor();
      using pidfd = pidfdOpen((await store.load('one')).pid);
      if (tier === 'B' || tier === 'C' || victims !== 'nobody') {
        const { monitor, keeper } = await pairOf(store);
        pids.push(monitor, keeper);
        const isMonitorKilled = victims === 'monitor' || victims === 'both';
        const isKeeperKilled = victims === 'keeper' || victims === 'both';
        if (isKeeperKilled) await kill(keeper);
        // Stopped, so that the program ends while there is no monitor.
        else process.kill(keeper, 'SIGSTOP');
        if (isMonitorKilled) await kill(monitor);
      }
      program.end(7);
      await waitPidfd(pidfd);
      if (pids[1] !== undefined && isAlive(pids[1])) process.kill(pids[1], 'SIGCONT');
      if (exit === unknown) await waitPidfd(pidfd, { until: 'reaped' });
      const found = await store.wait('one');
      expect(found).toMatchObject({ ...exit, started: true });
      expect((await store.load('one')).exit).toEqual(found);
      if (victims === 'monitor') pids.push((await pairOf(store)).monitor);
      await store.remove('one');
    }
    await expectGone(...pids);
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'nobody calls an end lost while the pair lives, even where it does not answer',
  { timeout: 90_000 },
  async () => {
    using scratch = new Scratch();
    const program = await launchAndDie(scratch.root, 'B', 'one');
    await using store = await openStore(scratch.root, { tier: 'B', monitorIdleMs: 2000 });
    const { pid } = await store.load('one');
    const { monitor, keeper } = await pairOf(store);
    {
      using pidfd = pidfdOpen(pid);
      process.kill(monitor, 'SIGSTOP');
      program.end(7);
      await waitPidfd(pidfd, { until: 'reaped' });
    }
    const early: unknown = await store.load('one').catch((error: unknown) => error);
    expect(isStoreError(early, 'ERR_STORE_HELD_BACK')).toBe(true);
    const waiting = store.wait('one');
    process.kill(monitor, 'SIGCONT');
    expect(await waiting).toMatchObject(seven('pidfd'));
    await store.remove('one');
    await expectGone(monitor, keeper);
  },
);

test('launch in tier C refuses by name what cannot be sent to the monitor, before anything is done', async () => {
  using scratch = new Scratch();
  const spec = runnableSpec('true');
  {
    await using store = await openStore(scratch.root, { tier: 'C', launcher: gatedLauncher });
    await expect(store.launch({ spec, bundle: '/' })).rejects.toBeInstanceOf(CannotTravelError);
    expect((await store.info()).monitor).toBeUndefined();
  }
  {
    await using store = await openStore(scratch.root, { tier: 'C' });
    const zygote = { fork: () => Promise.reject(new Error('no')), close: async () => undefined };
    await expect(store.launch({ spec, bundle: '/', zygote })).rejects.toMatchObject({
      code: 'ERR_STORE_CANNOT_TRAVEL',
      option: 'zygote',
    });
  }
  expect(scratch.files()).toEqual([]);
});
