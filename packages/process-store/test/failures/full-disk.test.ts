import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pidfdOpen, pidfdState, waitPidfd } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import {
  type ExitRecord,
  type LaunchStep,
  openStore,
  type OpenStoreOptions,
  type ProcessStore,
} from '../../src/index.ts';
import { isRoot } from '../is-root.ts';
import {
  codeOf,
  failureOf,
  isRunning,
  Leaks,
  open,
  short,
  sleeper,
  tiers,
  untilFile,
  untilLine,
} from './hostile.ts';
import { SmallDisk } from './small-disk.ts';

const full = { code: 'ERR_STORE_DISK', errnoCode: 'ENOSPC' };

const steps: { step: LaunchStep; kind: 'space' | 'inodes'; names: string }[] = [
  { step: 'reserved', kind: 'space', names: 'spec.json' },
  { step: 'prepared', kind: 'space', names: 'proc.json' },
  { step: 'reserved', kind: 'inodes', names: 'spec.json' },
  { step: 'recorded', kind: 'inodes', names: 'released' },
];

test.skipIf(!isRoot).each(tiers.flatMap((tier) => steps.map((step) => ({ ...tier, ...step }))))(
  'launch fails by name and leaves nothing when there is no $kind after "$step", in tier $tier',
  async ({ options, step, kind, names }) => {
    using disk = new SmallDisk('size=256k,nr_inodes=64');
    const leaks = await Leaks.watch();
    let pid = 0;
    {
      await using store = await open(disk.root, {
        ...options,
        launcher: watched((child) => (pid = child)),
        at(reached) {
          if (reached !== step) return;
          if (kind === 'space') disk.fill();
          else disk.fillInodes();
        },
      });
      const failure = await failureOf(store.launch({ ...sleeper, id: 'one' }));
      expect(failure).toMatchObject({ ...full, path: join(disk.root, 'p', 'one', names) });
      expect(failure.message).toContain('ENOSPC (no space left on device)');
      expect((failure as { hint?: string }).hint).toContain('free space');
      expect(existsSync(join(disk.root, 'p', 'one'))).toBe(false);
      expect(pid === 0 || !isRunning(pid)).toBe(true);
      disk.free();
      // The store is as good as before.
      await using other = await open(disk.root, options);
      expect(await (await other.launch({ ...short, id: 'one' })).wait()).toMatchObject({ code: 7 });
      await other.remove('one');
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot).each(tiers)(
  'launch either runs or leaves nothing, however few inodes there are, in tier $tier',
  { timeout: 120_000 },
  async ({ options }) => {
    using disk = new SmallDisk('nr_inodes=64');
    const leaks = await Leaks.watch();
    const outcomes = new Set<unknown>();
    for (let left = 0; left <= 14; left++) {
      disk.fillInodes(left);
      const code = await codeOf(launchAndDelete(disk.root, options));
      outcomes.add(code instanceof Error ? code.message : code);
      disk.free();
      expect(disk.mounts()).toEqual([]);
      expect(disk.files()).toEqual([]);
    }
    expect([...outcomes]).toEqual(['ERR_STORE_DISK', 'it succeeded']);
    expect(leaks.found()).toEqual([]);
  },
);

async function launchAndDelete(root: string, options: OpenStoreOptions): Promise<void> {
  await using store = await open(root, options);
  const launched = await store.launch({ ...short, id: 'one' });
  await launched.wait();
  await launched.remove();
}

test.skipIf(!isRoot).each(tiers)(
  'wait of the launcher tells how a process ended on a full disk, and it is recorded once there is space, in tier $tier',
  async ({ tier, options }) => {
    using disk = new SmallDisk();
    const leaks = await Leaks.watch();
    {
      // The launcher that leaves the reaping to us.
      await using store = await openStore(disk.root, options);
      await using other = await open(disk.root, options);
      const launched = await store.launch({ ...untilLine, id: 'one' });
      disk.fill();
      launched.stdin!.end('\n');
      expect(await launched.wait()).toMatchObject({ kind: 'exited', code: 7, source: 'parent' });
      const file = join(disk.root, 'p', 'one', 'exit.json');
      expect(existsSync(file)).toBe(false);
      // Everybody reads it from the pin, and nobody removes the pin; or its parent has it, and keeps it.
      const shown = tier === 'A' ? { state: 'stopped', code: 7 } : { state: 'zombie' };
      await expect.poll(() => view(other)).toEqual(shown);
      expect((await other.list()).problems).toEqual([]);
      expect((await Promise.all(waits(other, tier))).map(({ kind }) => kind)).not.toContain(
        'unknown',
      );
      expect(existsSync(file)).toBe(false);
      disk.free();
      expect(await other.wait('one')).toMatchObject({ code: 7 });
      expect(existsSync(file)).toBe(true);
      expect((await other.load('one')).exit).toMatchObject({
        code: 7,
        source: tier === 'A' ? 'pin' : 'parent',
      });
      await other.remove('one');
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

async function view(store: ProcessStore): Promise<object> {
  const { state, exit } = await store.load('one');
  return exit?.kind === 'exited' ? { state, code: exit.code } : { state };
}

function waits(store: ProcessStore, tier: 'A' | 'D'): Promise<ExitRecord>[] {
  return tier === 'A' ? [store.wait('one')] : [];
}

test.skipIf(!isRoot).each(tiers)(
  'delete of what has ended works on a full disk, in tier $tier',
  async ({ options }) => {
    using disk = new SmallDisk();
    const leaks = await Leaks.watch();
    const end = join(disk.outside, 'end');
    {
      await using store = await open(disk.root, options);
      await (await store.launch({ ...short, id: 'recorded' })).wait();
      const unrecorded = await store.launch({ ...untilFile(end), id: 'unrecorded' });
      await store.launch({ ...sleeper, id: 'alive' });
      disk.fill();
      writeFileSync(end, '');
      await unrecorded.wait();
      await store.remove('recorded');
      // What that gave back is taken again.
      disk.fill();
      await store.remove('unrecorded');
      disk.fill();
      await store.remove('alive', { force: true });
      expect(await store.list()).toEqual({ processes: [], problems: [] });
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot).each(tiers)(
  'delete with force from another store works on a full disk, and the parent lets go, in tier $tier',
  async ({ options }) => {
    using disk = new SmallDisk();
    const leaks = await Leaks.watch();
    {
      await using store = await open(disk.root, options);
      await using other = await open(disk.root, options);
      const { pid } = await store.launch({ ...sleeper, id: 'one' });
      const launched = await store.load('one');
      using pidfd = pidfdOpen(pid);
      disk.fill();
      const waiting = launched.wait();
      await other.remove('one', { force: true, deadlineMs: 500 });
      expect(await waiting).toMatchObject({ kind: 'signaled', signal: 9 });
      await waitPidfd(pidfd, { until: 'reaped' });
      expect(pidfdState(pidfd)).toBe('reaped');
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot)('openStore fails by name on a full disk, and leaves nothing', async () => {
  using disk = new SmallDisk('nr_inodes=64');
  const leaks = await Leaks.watch();
  const outcomes: unknown[] = [];
  for (let left = 0; left < 10; left++) {
    disk.fillInodes(left);
    const failure = await failureOf(open(disk.root).then((store) => store[Symbol.asyncDispose]()));
    outcomes.push('code' in failure ? failure.code : failure.message);
    disk.free();
    expect(disk.files()).toEqual([]);
  }
  expect(new Set(outcomes)).toEqual(new Set(['ERR_STORE_DISK', 'it succeeded']));
  expect(outcomes[0]).toBe('ERR_STORE_DISK');
  expect(leaks.found()).toEqual([]);
});

/** A launcher that tells of its child. */
function watched(tell: (pid: number) => void): NonNullable<OpenStoreOptions['launcher']> {
  return async (config, options) => {
    const { gatedLauncher } = await import('../gated-launcher.ts');
    const prepared = await gatedLauncher(config, options);
    tell(prepared.pid);
    return prepared;
  };
}
