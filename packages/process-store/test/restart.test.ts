import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import { isStoreError, type LaunchStep, openStore, type OpenStoreOptions } from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';
import { specOf } from './spec-of.ts';

const options: OpenStoreOptions = {
  launcher: gatedLauncher,
  ...(isRoot ? {} : { tier: 'D' as const }),
};
const short = { id: 'one', spec: specOf('sh', '-c', 'exit 7'), bundle: '/' };
const program = fileURLToPath(new URL('crash-restarter.ts', import.meta.url));

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isStoreError(error) ? error.code : error;
  }
}

test('restart runs a program again under its id, and leaves nothing of the run before', async () => {
  using scratch = new Scratch();
  {
    await using store = await openStore(scratch.root, options);
    await (await store.launch(short)).wait();
    await store.remove('one');
  }
  const before = countOpenFds();
  {
    await using store = await openStore(scratch.root, options);
    const first = await store.launch(short);
    await first.wait();
    const again = await store.restart('one');
    expect(again).toMatchObject({ id: 'one', state: 'running' });
    expect(again.pid).not.toBe(first.pid);
    expect(await again.wait()).toMatchObject({ code: 7 });
    expect(await codeOf(first.remove())).toBe('ERR_STORE_NOT_FOUND');
    expect(readdirSync(join(scratch.root, 'gone'))).toEqual([]);
    await again.remove();
  }
  expect(scratch.files()).toEqual([]);
  expect(scratch.mounts()).toEqual([]);
  expect(countOpenFds()).toBe(before);
});

test('restart is told between the exit and the next start', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const events = store.watch({ since: 'start' });
  const told: string[] = [];
  const next = events.next();
  await (await store.launch({ ...short, restart: { name: 'always' } })).wait();
  await (await store.restart('one')).wait();
  told.push((await next).value.type);
  for (let count = 0; count < 4; count++) told.push((await events.next()).value.type);
  expect(told).toEqual(['start', 'exit', 'restart', 'start', 'exit']);
  await events.return(undefined as never);
  await store.remove('one');
});

test('restart refuses what runs, and what does not exist', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  await store.launch({ id: 'one', spec: specOf('sleep', '1000'), bundle: '/' });
  expect(await codeOf(store.restart('one'))).toBe('ERR_STORE_NOT_STOPPED');
  expect(await codeOf(store.restart('two'))).toBe('ERR_STORE_NOT_FOUND');
  expect((await store.load('one')).state).toBe('running');
  await store.remove('one', { force: true });
});

const steps: LaunchStep[] = [
  'reserved',
  'specified',
  'prepared',
  'recorded',
  'replaced',
  'released',
];

test.each(steps)(
  'restart that fails after "%s" leaves the ended process as it was',
  async (step) => {
    using scratch = new Scratch();
    {
      let armed = false;
      await using store = await openStore(scratch.root, {
        ...options,
        at(reached) {
          if (armed && reached === step) throw new Error('stopped here');
        },
      });
      const exit = await (await store.launch(short)).wait();
      armed = true;
      await expect(store.restart('one')).rejects.toThrow('stopped here');
      const left = await store.load('one');
      expect(left).toMatchObject({ state: 'stopped', exit });
      armed = false;
      expect(await (await store.restart('one')).wait()).toMatchObject({ code: 7 });
      expect(readdirSync(join(scratch.root, 'gone'))).toEqual([]);
      await store.remove('one');
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

const crashes: LaunchStep[] = [
  ...steps.slice(0, 3),
  'pinned',
  'recorded',
  'replaced',
  'released',
  'started',
];

test.skipIf(!isRoot).each(crashes)(
  'restart killed after "%s" leaves one record with a true end, which can be started again',
  { timeout: 60_000, concurrent: true },
  async (step) => {
    using scratch = new Scratch();
    const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
    const child = spawn(process.execPath, [...flags, program, scratch.root, step], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    {
      await using store = await openStore(scratch.root);
      const exit = await store.wait('crash');
      // At these it waited at the gate of the new record, and left.
      const left = { replaced: { started: false }, released: { started: true } };
      const ran = { code: 7, started: true };
      expect(exit).toMatchObject(step in left ? left[step as keyof typeof left] : ran);
      const again = await store.restart('crash');
      expect(await again.wait()).toMatchObject({ code: 7 });
      expect((await store.list()).processes.map(({ key }) => key)).toEqual(['crash']);
      await store.remove('crash');
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.skipIf(!isRoot)('restart of a container ends what was still executed in it', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root);
  const spec = hostRootSpec({ args: ['sh', '-c', 'exec sleep 1000'] });
  spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'pid');
  const stdio = ['ignore', 'ignore', 'ignore'] as const;
  await store.launch({ id: 'box', spec, bundle: '/', stdio });
  const process = { args: ['sleep', '1000'], cwd: '/', env: ['PATH=/usr/bin:/bin'] };
  const inside = await store.exec('box', { id: 'e1', process, stdio });
  await store.stop('box', { stopSignal: 'SIGKILL' });
  await store.restart('box');
  expect(await inside.wait().catch((error: unknown) => isStoreError(error))).toMatchObject({
    signal: 9,
  });
  expect((await store.list({ execs: true })).processes.map(({ key }) => key)).toEqual(['box']);
  await store.remove('box', { force: true });
});
