import { once } from 'node:events';
import { test } from 'vitest';
import {
  type ExitRecord,
  type ExitStep,
  openStore,
  type StoreEvent,
  type Tier,
} from '../src/index.ts';
import { isRoot } from './is-root.ts';
import { runFixture } from './pair.ts';
import { Scratch } from './scratch.ts';

interface Crash {
  /** Who dies at the step: the parent, a stranger that waits, the monitor, or the keeper. */
  role: 'parent' | 'waiter' | 'monitor' | 'keeper';
  tier: Tier;
  step: ExitStep;
  /** What is recorded in the end; undefined where it depends on who reaps it first, us or pid 1. */
  exit: Partial<ExitRecord> | undefined;
}

const by = (source: 'parent' | 'pin' | 'pidfd' | 'keeper') => ({ source, code: 7 });

const crashes: Crash[] = [
  // Of what was on its way to the record, the pin keeps a second copy.
  { role: 'parent', tier: 'A', step: 'ended', exit: by('pin') },
  { role: 'parent', tier: 'A', step: 'exitRecorded', exit: by('parent') },
  { role: 'parent', tier: 'A', step: 'reaped', exit: by('parent') },
  { role: 'parent', tier: 'A', step: 'unpinned', exit: by('parent') },
  { role: 'parent', tier: 'A', step: 'exitTold', exit: by('parent') },
  { role: 'parent', tier: 'B', step: 'ended', exit: by('pidfd') },
  { role: 'parent', tier: 'B', step: 'exitRecorded', exit: by('parent') },
  { role: 'parent', tier: 'B', step: 'reaped', exit: by('parent') },
  { role: 'parent', tier: 'D', step: 'ended', exit: undefined },
  { role: 'parent', tier: 'D', step: 'exitRecorded', exit: by('parent') },
  { role: 'parent', tier: 'D', step: 'reaped', exit: by('parent') },
  { role: 'parent', tier: 'D', step: 'exitTold', exit: by('parent') },
  { role: 'waiter', tier: 'A', step: 'ended', exit: by('pin') },
  { role: 'waiter', tier: 'A', step: 'exitRecorded', exit: by('pin') },
  { role: 'waiter', tier: 'A', step: 'unpinned', exit: by('pin') },
  { role: 'waiter', tier: 'A', step: 'exitTold', exit: by('pin') },
  { role: 'waiter', tier: 'D', step: 'ended', exit: { kind: 'unknown' } },
  { role: 'waiter', tier: 'D', step: 'exitRecorded', exit: by('pidfd') },
  { role: 'waiter', tier: 'D', step: 'exitTold', exit: by('pidfd') },
  { role: 'monitor', tier: 'A', step: 'ended', exit: by('pin') },
  { role: 'monitor', tier: 'A', step: 'exitRecorded', exit: by('pidfd') },
  { role: 'monitor', tier: 'A', step: 'unpinned', exit: by('pidfd') },
  { role: 'monitor', tier: 'A', step: 'exitTold', exit: by('pidfd') },
  { role: 'monitor', tier: 'D', step: 'exitRecorded', exit: by('pidfd') },
  { role: 'monitor', tier: 'D', step: 'exitTold', exit: by('pidfd') },
  { role: 'keeper', tier: 'D', step: 'exitRecorded', exit: by('keeper') },
  { role: 'keeper', tier: 'D', step: 'reaped', exit: by('keeper') },
];

test.skipIf(!isRoot).for(crashes)(
  'an exit in tier $tier whose $role is killed after "$step" is recorded once, told, and leaves nothing',
  { timeout: 60_000, concurrent: true },
  async ({ role, tier, step, exit = {} }, { expect }) => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root, { tier, monitorIdleMs: 2000 });
      const told: StoreEvent[] = [];
      // From the start: it keeps the journal from being removed.
      const events = store.watch({ since: 'start' });
      const first = events.next();
      const child = runFixture('exit-crash.ts', [scratch.root, step, role, tier]);
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);

      const waited = await store.wait('crash');
      expect(waited).toMatchObject({ ...exit, started: true });
      if (waited.kind !== 'unknown') expect(waited).toMatchObject({ code: 7 });
      const { state, exit: recorded } = await store.load('crash');
      expect(state).toBe('stopped');
      expect(recorded).toMatchObject({ ...exit, started: true });
      await store.remove('crash');

      for (let next = await first; ; next = await events.next()) {
        if (next.value.type === 'lost') throw new Error('events were lost');
        told.push(next.value);
        if (next.value.type === 'remove') break;
      }
      await events.return(undefined as never);
      // At least once: it may have died between the journal and the mark.
      const ends = told.filter((event) => event.type === 'exit').map((event) => event.exit);
      expect(ends.length).toBeGreaterThan(0);
      for (const end of ends) expect(end).toEqual(recorded);
      expect(told.map(({ type }) => type)).toContain('start');
    }
    expect(scratch.mounts()).toEqual([]);
    // A pair leaves in its own time.
    await expect.poll(() => scratch.files()).toEqual([]);
  },
);
