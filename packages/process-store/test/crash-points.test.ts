// Each step of a launch and of an exec, in each tier: who launches stops itself there. The steps of restarts are in
// restart.test.ts, those of exits in exit-crash.test.ts; tier A has more in crash.test.ts.
import { once } from 'node:events';
import { hostRootSpec } from '@pilotlight/init';
import { test } from 'vitest';
import { isStoreError, type LaunchStep, openStore, type Tier } from '../src/index.ts';
import { isRoot } from './is-root.ts';
import { runFixture } from './pair.ts';
import { Scratch } from './scratch.ts';

/** What a launcher that was killed at a step leaves: no record, one of a program that never ran, or one that ran. */
type Outcome = 'nothing' | 'never started' | 'at the gate' | 'ran' | 'ran, or unknown';

const outcomes = {
  reserved: 'nothing',
  specified: 'nothing',
  prepared: 'nothing',
  pinned: 'nothing',
  recorded: 'never started',
  released: 'at the gate',
  started: 'ran',
} as const satisfies Partial<Record<LaunchStep, Outcome>>;

const crashes = (['A', 'B', 'D'] as const).flatMap((tier) =>
  Object.entries(outcomes)
    // Nothing is pinned there.
    .filter(([step]) => tier !== 'D' || step !== 'pinned')
    .map(([step, outcome]): { tier: Tier; step: string; outcome: Outcome } => ({
      tier,
      step,
      // Nobody but its launcher would have learnt how it ended.
      outcome: tier === 'D' && outcome === 'ran' ? 'ran, or unknown' : outcome,
    })),
);
// The client of the monitor; the monitor is the launcher, and undoes what its client wants no longer.
const clients: typeof crashes = [
  ...['reserved', 'specified', 'prepared', 'recorded', 'released'].map((step) => ({
    tier: 'C' as const,
    step,
    outcome: 'nothing' as const,
  })),
  { tier: 'C', step: 'started', outcome: 'ran' },
];

const WAIT_MS = 30_000;

test.skipIf(!isRoot).for([...crashes, ...clients])(
  'a launch in tier $tier that is killed after "$step" leaves: $outcome',
  { timeout: 90_000, concurrent: true },
  async ({ tier, step, outcome }, { expect }) => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier, monitorIdleMs: 2000 });
      const settings = [scratch.root, step, 'init', 'sleep 0.2; exit 7', '-', tier];
      const child = runFixture('crash-launcher.ts', settings);
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      if (outcome === 'nothing') {
        await expect
          .poll(() => store.load('crash').catch((error: unknown) => error), { timeout: WAIT_MS })
          .toSatisfy((error) => isStoreError(error, 'ERR_STORE_NOT_FOUND'));
        expect(await store.list()).toEqual({ processes: [], problems: [] });
      } else {
        const exit = await store.wait('crash');
        expect(exit.started).toBe(outcome !== 'never started');
        if (outcome === 'ran') expect(exit).toMatchObject({ code: 7 });
        else if (outcome !== 'ran, or unknown') expect(exit).not.toMatchObject({ code: 7 });
        else if (exit.kind !== 'unknown') expect(exit).toMatchObject({ code: 7 });
        await store.remove('crash');
      }
    }
    expect(scratch.mounts()).toEqual([]);
    // A pair leaves in its own time.
    await expect.poll(() => scratch.files(), { timeout: WAIT_MS }).toEqual([]);
  },
);

test.skipIf(!isRoot).for(crashes)(
  'an exec in tier $tier that is killed after "$step" leaves: $outcome',
  { timeout: 90_000, concurrent: true },
  async ({ tier, step, outcome }, { expect }) => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier, monitorIdleMs: 2000 });
      const spec = hostRootSpec({ args: ['sleep', '1000'] });
      const stdio = ['ignore', 'ignore', 'ignore'] as const;
      const box = await store.launch({ id: 'box', spec, bundle: '/', stdio });
      const child = runFixture('crash-executor.ts', [scratch.root, step, tier, 'box']);
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      if (outcome === 'nothing') {
        const missing = await store.load('box/crash').catch((error: unknown) => error);
        expect(isStoreError(missing, 'ERR_STORE_NOT_FOUND')).toBe(true);
      } else {
        const exit = await store.wait('box/crash');
        expect(exit.started).toBe(outcome !== 'never started');
        if (outcome === 'ran') expect(exit).toMatchObject({ code: 7 });
        else if (outcome !== 'ran, or unknown') expect(exit).not.toMatchObject({ code: 7 });
        else if (exit.kind !== 'unknown') expect(exit).toMatchObject({ code: 7 });
        await store.remove('box/crash');
      }
      expect((await store.list({ execs: true })).processes.map(({ key }) => key)).toEqual(['box']);
      await box.remove({ force: true });
    }
    expect(scratch.mounts()).toEqual([]);
    await expect.poll(() => scratch.files(), { timeout: WAIT_MS }).toEqual([]);
  },
);
