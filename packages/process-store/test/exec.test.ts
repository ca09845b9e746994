import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hostRootSpec, type OciProcess, type OciSpec } from '@pilotlight/init';
import { pidfdOpen, waitPidfd } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import {
  isStoreError,
  type LostEvents,
  openStore,
  type ProcessStore,
  type StoreEvent,
} from '../src/index.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';

const quiet = ['ignore', 'ignore', 'ignore'] as const;

function boxSpec(script = 'exec sleep 1000'): OciSpec {
  return hostRootSpec({ args: ['sh', '-c', script] });
}

function sh(script: string): OciProcess {
  return { args: ['sh', '-c', script], cwd: '/', env: ['PATH=/usr/bin:/bin'] };
}

async function box(store: ProcessStore, script?: string) {
  return store.launch({ id: 'box', spec: boxSpec(script), bundle: '/', stdio: quiet });
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isStoreError(error) ? error.code : error;
  }
}

/** What `type:key` the next `count` events are. */
async function take(
  events: AsyncGenerator<StoreEvent | LostEvents>,
  count: number,
): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    taken.push(value.type === 'lost' ? 'lost' : `${value.type}:${value.key}`);
  }
  return taken;
}

test.skipIf(!isRoot)(
  'exec records a process under its container, and its true status',
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root);
      await (await box(store, 'true')).wait();
      await store.remove('box');
    }
    const before = countOpenFds();
    {
      await using store = await openStore(scratch.root);
      const container = await box(store);
      const ran = await store.exec('box', { id: 'e1', process: sh('exit 7'), stdio: quiet });
      expect(ran).toMatchObject({ key: 'box/e1', container: 'box', id: 'e1', state: 'running' });
      expect(ran.spec.args).toEqual(['sh', '-c', 'exit 7']);
      expect(await ran.wait()).toMatchObject({
        kind: 'exited',
        code: 7,
        id: 'e1',
        source: 'parent',
      });
      expect((await store.load('box/e1')).exit).toMatchObject({ code: 7 });
      expect((await store.list()).processes.map(({ key }) => key)).toEqual(['box']);
      const all = await store.list({ execs: true });
      expect(all.processes.map(({ key }) => key)).toEqual(['box', 'box/e1']);
      await ran.remove();
      expect(await codeOf(store.load('box/e1'))).toBe('ERR_STORE_NOT_FOUND');
      expect(container.key).toBe('box');
      await container.remove({ force: true });
    }
    expect(countOpenFds()).toBe(before);
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.skipIf(!isRoot)('exec whose store was closed keeps its status in the pin', async () => {
  using scratch = new Scratch();
  let pid = 0;
  {
    await using store = await openStore(scratch.root);
    await box(store);
    const ran = await store.exec('box', {
      id: 'e1',
      process: sh('sleep 0.5; exit 9'),
      stdio: quiet,
    });
    await ran.detach();
    pid = ran.pid;
    expect(pid).toBeGreaterThan(1);
  }
  await using store = await openStore(scratch.root);
  expect(await store.wait('box/e1')).toMatchObject({ code: 9, source: 'pin' });
  await store.remove('box', { force: true });
});

test.skipIf(!isRoot)('exec refuses what cannot be, and leaves nothing', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root);
  const process = sh('true');
  expect(await codeOf(store.exec('none', { process }))).toBe('ERR_STORE_NOT_FOUND');
  const container = await box(store, 'read x');
  await container.wait();
  expect(await codeOf(store.exec('box', { process }))).toBe('ERR_STORE_NOT_RUNNING');
  await container.remove();
  await box(store);
  expect(await codeOf(store.exec('box/e1', { process }))).toBe('ERR_STORE_INVALID_ID');
  expect(await codeOf(store.exec('box', { id: '../x', process }))).toBe('ERR_STORE_INVALID_ID');
  const first = store.exec('box', { id: 'e1', process: sh('exec sleep 1000'), stdio: quiet });
  await first;
  expect(await codeOf(store.exec('box', { id: 'e1', process }))).toBe('ERR_STORE_ID_IN_USE');
  const missing = { ...process, args: ['/no/such/program'] };
  await expect(store.exec('box', { id: 'e2', process: missing })).rejects.toThrow('ENOENT');
  const bad = { ...process, cwd: 'relative' };
  await expect(store.exec('box', { id: 'e3', process: bad })).rejects.toThrow('cwd');
  const reason = new Error('changed my mind');
  const aborted = AbortSignal.abort(reason);
  await expect(store.exec('box', { id: 'e4', process, signal: aborted })).rejects.toBe(reason);
  expect(readdirSync(join(scratch.root, 'p/box/exec'))).toEqual(['e1']);
  await store.remove('box', { force: true });
});

test.skipIf(!isRoot)(
  'delete of a container waits for no executed process that lives on, and removes those that ended',
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root);
      // Without a pid namespace of its own, what is executed in it outlives its first process.
      const spec = boxSpec();
      spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'pid');
      await store.launch({ id: 'box', spec, bundle: '/', stdio: quiet });
      const running = await store.exec('box', {
        id: 'e1',
        process: sh('exec sleep 1000'),
        stdio: quiet,
      });
      await (await store.exec('box', { id: 'e2', process: sh('exit 1'), stdio: quiet })).wait();
      await store.signal('box', 'SIGKILL');
      await store.wait('box');
      expect(await codeOf(store.remove('box'))).toBe('ERR_STORE_NOT_STOPPED');
      expect((await store.load('box/e1')).state).toBe('running');
      expect((await store.load('box')).state).toBe('stopped');
      using held = pidfdOpen(running.pid);
      await store.remove('box', { force: true });
      await waitPidfd(held, { until: 'exited' });
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'watch tells start, exec, the exits with that of the container last, and removal',
  async () => {
    using scratch = new Scratch();
    await using store = await openStore(scratch.root);
    const events = store.watch({ since: 'start' });
    const launched = await box(store);
    expect(await take(events, 1)).toEqual(['start:box']);
    await store.exec('box', { id: 'e1', process: sh('exec sleep 1000'), stdio: quiet });
    await store.exec('box', { id: 'e2', process: sh('exec sleep 1000'), stdio: quiet });
    expect(await take(events, 2)).toEqual(['exec:box/e1', 'exec:box/e2']);
    await launched.signal('SIGKILL');
    await launched.wait();
    const ends = await take(events, 3);
    expect(ends.toSorted()).toEqual(['exit:box', 'exit:box/e1', 'exit:box/e2']);
    expect(ends.at(-1)).toBe('exit:box');
    await launched.remove();
    expect(await take(events, 3)).toEqual(['remove:box/e1', 'remove:box/e2', 'remove:box']);
    await events.return(undefined as never);
  },
);

test.skipIf(!isRoot)(
  'watch tells the ends of executed processes first when their launcher was gone',
  async () => {
    using scratch = new Scratch();
    {
      await using store = await openStore(scratch.root);
      await box(store);
      for (const id of ['e1', 'e2']) {
        await store.exec('box', { id, process: sh('exec sleep 1000'), stdio: quiet });
      }
    }
    await using store = await openStore(scratch.root);
    await store.signal('box', 'SIGKILL');
    await store.wait('box');
    const events = store.watch({ since: 'start' });
    const told = await take(events, 6);
    expect(told.slice(0, 3)).toEqual(['start:box', 'exec:box/e1', 'exec:box/e2']);
    expect(told.slice(3)).toEqual(['exit:box/e1', 'exit:box/e2', 'exit:box']);
    await events.return(undefined as never);
    await store.remove('box', { force: true });
  },
);
