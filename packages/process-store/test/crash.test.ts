import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isStoreError, type LaunchStep, openStore } from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';
import { specOf } from './spec-of.ts';

const program = fileURLToPath(new URL('crash-launcher.ts', import.meta.url));

async function crash(root: string, step: LaunchStep, kind: 'gated' | 'init', ...rest: string[]) {
  const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
  const child = spawn(process.execPath, [...flags, program, root, step, kind, ...rest], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
}

const kinds = ['gated', 'init'] as const;
const early: LaunchStep[] = ['reserved', 'specified', 'prepared', 'pinned'];

for (const kind of kinds) {
  test.skipIf(!isRoot).each(early)(
    `launch killed after %s leaves nothing that keeps the id (${kind} child)`,
    { timeout: 60_000, concurrent: true },
    async (step) => {
      using scratch = new Scratch();
      await crash(scratch.root, step, kind, 'exit 7');
      {
        await using store = await openStore(scratch.root, { launcher: gatedLauncher });
        const missing = await store.load('crash').catch((error: unknown) => error);
        expect(isStoreError(missing, 'ERR_STORE_NOT_FOUND')).toBe(true);
        expect(await store.list()).toEqual({ processes: [], problems: [] });
        const again = await store.launch({ id: 'crash', spec: specOf('true'), bundle: '/' });
        expect(await again.wait()).toMatchObject({ kind: 'exited', code: 0 });
        await again.remove();
      }
      expect(scratch.files()).toEqual([]);
      expect(scratch.mounts()).toEqual([]);
    },
  );

  test.skipIf(!isRoot)(
    `launch reserves an id again whose launcher was killed after pinning (${kind} child)`,
    { timeout: 60_000, concurrent: true },
    async () => {
      using scratch = new Scratch();
      await crash(scratch.root, 'pinned', kind, 'exit 7');
      await using store = await openStore(scratch.root, { launcher: gatedLauncher });
      const again = await store.launch({ id: 'crash', spec: specOf('true'), bundle: '/' });
      expect(await again.wait()).toMatchObject({ kind: 'exited', code: 0 });
      await again.remove();
    },
  );

  test.skipIf(!isRoot)(
    `launch killed before the release is recorded as never started (${kind} child)`,
    { timeout: 60_000, concurrent: true },
    async () => {
      using scratch = new Scratch();
      await crash(scratch.root, 'recorded', kind, 'exit 7');
      {
        await using store = await openStore(scratch.root);
        const exit = await store.wait('crash');
        expect(exit).toMatchObject({ started: false, source: 'pin', exitedAt: null });
        expect(exit).not.toMatchObject({ code: 7 });
        expect((await store.load('crash')).state).toBe('stopped');
        await store.remove('crash');
      }
      expect(scratch.files()).toEqual([]);
      expect(scratch.mounts()).toEqual([]);
    },
  );

  test.skipIf(!isRoot)(
    `launch killed between release and gate runs no program (${kind} child)`,
    { timeout: 60_000, concurrent: true },
    async () => {
      using scratch = new Scratch();
      await crash(scratch.root, 'released', kind, 'exit 7');
      await using store = await openStore(scratch.root);
      const exit = await store.wait('crash');
      expect(exit).toMatchObject({ started: true, source: 'pin' });
      expect(exit).not.toMatchObject({ code: 7 });
      await store.remove('crash');
    },
  );

  const endings = [
    { script: 'sleep 0.3; exit 7', exit: { kind: 'exited', code: 7 } },
    { script: 'exit 3', exit: { kind: 'exited', code: 3 } },
    { script: 'exit 0', exit: { kind: 'exited', code: 0 } },
  ];
  test.skipIf(!isRoot).each(endings)(
    `wait reads the status of "$script" from the pin when its launcher was killed (${kind} child)`,
    { timeout: 60_000, concurrent: true },
    async ({ script, exit }) => {
      using scratch = new Scratch();
      await crash(scratch.root, 'started', kind, script);
      {
        await using store = await openStore(scratch.root);
        expect(await store.wait('crash')).toMatchObject({ ...exit, started: true, source: 'pin' });
        expect(scratch.mounts()).toEqual([scratch.root]);
        await store.remove('crash');
      }
      expect(scratch.files()).toEqual([]);
      expect(scratch.mounts()).toEqual([]);
    },
  );
}

test.skipIf(!isRoot)(
  'list removes a launch that was killed before it was recorded, and the cgroup that was made for it',
  { timeout: 60_000, concurrent: true },
  async () => {
    using scratch = new Scratch();
    const name = `process-store-crash-${process.pid}`;
    const cgroups = () =>
      readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter(
        (entry) => entry.name === name || existsSync(`/sys/fs/cgroup/${entry.name}/${name}`),
      );
    await crash(scratch.root, 'prepared', 'init', 'exit 7', `/${name}`);
    expect(cgroups()).not.toEqual([]);
    {
      await using store = await openStore(scratch.root);
      expect(await store.list()).toEqual({ processes: [], problems: [] });
    }
    expect(cgroups()).toEqual([]);
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'wait tells the signal that ended a process whose launcher was killed',
  { timeout: 60_000, concurrent: true },
  async () => {
    using scratch = new Scratch();
    await crash(scratch.root, 'started', 'init', 'exec sleep 1000');
    await using store = await openStore(scratch.root);
    expect((await store.load('crash')).state).toBe('running');
    await store.signal('crash', 'SIGKILL');
    expect(await store.wait('crash')).toMatchObject({ kind: 'signaled', signal: 9, source: 'pin' });
    await store.remove('crash');
  },
);
