import { existsSync } from 'node:fs';
import { hostRootSpec, type OciSpec } from '@pilotlight/init';
import { expect, test } from 'vitest';
import { isStoreError, openStore } from '../src/index.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';

/** A sandbox that shares our pids, so that what it leaves in its cgroup outlives it. */
function leavingSpec(cgroupsPath: string, script: string): OciSpec {
  const spec = hostRootSpec({ args: ['sh', '-c', script] });
  const namespaces = spec.linux?.namespaces?.filter(({ type }) => type !== 'pid');
  return { ...spec, linux: { ...spec.linux, namespaces, cgroupsPath } };
}

test.skipIf(!isRoot)(
  'delete kills what is left in the cgroup only with force, and removes the cgroup',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root);
      const cgroupsPath = `/process-store-${process.pid}`;
      const launched = await store.launch({
        id: 'one',
        bundle: '/',
        spec: leavingSpec(cgroupsPath, 'sleep 1000 & exit 7'),
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      expect(launched.cgroupPaths.length).toBeGreaterThan(0);
      expect(await launched.wait()).toMatchObject({ code: 7 });
      expect(await store.remove('one').catch((error: unknown) => error)).toSatisfy(
        (error: unknown) => isStoreError(error, 'ERR_STORE_NOT_STOPPED'),
      );
      expect(launched.cgroupPaths.some((path) => existsSync(path))).toBe(true);
      await store.remove('one', { force: true });
      expect(launched.cgroupPaths.filter((path) => existsSync(path))).toEqual([]);
    }
    expect(scratch.files()).toEqual([]);
  },
);
