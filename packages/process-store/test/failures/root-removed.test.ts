import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pidfdOpen } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import { isStoreError, openStore } from '../../src/index.ts';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import {
  codeOf,
  failureOf,
  isRunning,
  Leaks,
  open,
  run,
  short,
  tiers,
  untilLine,
} from './hostile.ts';

/** Ways in which the root of a running container is taken away. */
const removals: {
  how: string;
  remove: (scratch: Scratch) => void;
  restore?: (scratch: Scratch) => void;
}[] = [
  {
    how: 'removed as far as possible',
    remove: ({ root }) => removeWhatGoes(root),
  },
  {
    how: 'unmounted lazily and removed',
    remove(scratch) {
      unmount(scratch);
      removeAll(scratch.root);
    },
  },
  {
    how: 'unmounted lazily and replaced by a fresh directory',
    remove(scratch) {
      unmount(scratch);
      removeAll(scratch.root);
      mkdirSync(scratch.root, { mode: 0o700 });
    },
  },
  {
    how: 'unmounted lazily and renamed away',
    remove(scratch) {
      unmount(scratch);
      renameSync(scratch.root, join(scratch.path, 'away'));
    },
  },
  {
    how: 'unmounted lazily and replaced by a file',
    remove(scratch) {
      unmount(scratch);
      removeAll(scratch.root);
      run('touch', scratch.root);
    },
    restore: (scratch) => rmSync(scratch.root),
  },
];

/** The store may be telling of the start just now, and make a file in what is being removed. */
function removeAll(path: string): void {
  rmSync(path, { recursive: true, maxRetries: 20 });
}

function unmount(scratch: Scratch): void {
  for (const point of scratch.mounts()) run('umount', '--lazy', point);
}

/** What `rm -rf` does: everything but the pins and the mount points. */
function removeWhatGoes(path: string): void {
  for (const name of readdirSync(path)) {
    const inner = join(path, name);
    try {
      if (statSync(inner).isDirectory()) removeWhatGoes(inner);
      else rmSync(inner);
    } catch {
      // Busy: a pin.
    }
  }
  try {
    rmSync(path, { recursive: true });
  } catch {
    // Something is mounted here or in it.
  }
}

test.skipIf(!isRoot).each(tiers.flatMap((tier) => removals.map((one) => ({ ...tier, ...one }))))(
  'a root that is $how under a running container: the launcher still tells its end, nothing hangs or is left, in tier $tier',
  async ({ options, remove, restore }) => {
    using scratch = new Scratch();
    const leaks = await Leaks.watch();
    let pid: number;
    {
      await using store = await openStore(scratch.root, options);
      await using other = await open(scratch.root, options);
      const launched = await store.launch({ ...untilLine, id: 'one' });
      ({ pid } = launched);
      const waiting = launched.wait();
      const alsoWaiting = other.wait('one').catch((error: unknown) => error);
      remove(scratch);

      for (const attempt of [
        () => other.load('one'),
        () => other.signal('one', 'SIGCONT'),
        () => other.remove('one'),
        () => other.list(),
      ]) {
        const failure = await failureOf(attempt());
        expect(isStoreError(failure) || failure.message === 'it succeeded').toBe(true);
      }
      expect(isRunning(pid)).toBe(true);
      launched.stdin!.end('\n');
      expect(await waiting).toMatchObject({ kind: 'exited', code: 7, source: 'parent' });
      const told = await alsoWaiting;
      expect(isStoreError(told) || told).toSatisfy(
        (value: unknown) => value === true || (value as { code: unknown }).code === 7,
      );
      restore?.(scratch);

      // A new store at the same place.
      await using fresh = await open(scratch.root, options);
      await fresh.remove('one', { force: true }).catch(() => undefined);
      const again = await fresh.launch({ ...short, id: 'one' });
      expect(await again.wait()).toMatchObject({ code: 7 });
      await again.remove();
      expect((await fresh.list()).processes).toEqual([]);
    }
    expect(() => pidfdOpen(pid)).toThrow(/ESRCH/);
    rmSync(join(scratch.path, 'away'), { recursive: true, force: true });
    // The last store may have found a directory that it had not made.
    expect(scratch.files().filter((name) => name !== 'root')).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot).each(tiers)(
  'a launch whose root is removed under it fails by name, and its child does not stay, in tier $tier',
  async ({ options }) => {
    using scratch = new Scratch();
    const leaks = await Leaks.watch();
    for (const step of ['reserved', 'specified', 'prepared'] as const) {
      {
        await using store = await open(scratch.root, {
          ...options,
          at: (reached) => (reached === step ? removeWhatGoes(scratch.root) : undefined),
        });
        const failure = await failureOf(store.launch({ ...short, id: 'one' }));
        expect(failure).toMatchObject({ code: 'ERR_STORE_ROOT' });
        expect(failure.message).toMatch(/was removed meanwhile/);
      }
      for (const point of scratch.mounts()) run('umount', '--lazy', point);
      rmSync(scratch.root, { recursive: true, force: true });
      expect(existsSync(scratch.root)).toBe(false);
    }
    expect(leaks.found()).toEqual([]);
    expect(
      await codeOf(open(scratch.root, options).then((store) => store[Symbol.asyncDispose]())),
    ).toEqual(new Error('it succeeded'));
  },
);
