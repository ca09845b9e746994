import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import { isStoreError, openStore, type OpenStoreOptions } from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';
import { specOf } from './spec-of.ts';

const options: OpenStoreOptions = {
  launcher: gatedLauncher,
  ...(isRoot ? {} : { tier: 'D' as const }),
};
const polite = { spec: specOf('sleep', '1000'), bundle: '/' };
const deaf = {
  spec: specOf('sh', '-c', "trap '' TERM; while :; do sleep 0.05; done"),
  bundle: '/',
};

test('stop asks a process to end and tells how it did', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const launched = await store.launch({ ...polite, id: 'one' });
  const exit = await launched.stop();
  expect(exit).toMatchObject({ kind: 'signaled', signal: 15 });
  expect(launched).toMatchObject({ state: 'stopped', exit });
  await launched.remove();
});

test('stop of a process that another program launched is told by the kernel', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  await store.launch({ ...polite, id: 'one' });
  await using other = await openStore(scratch.root, options);
  expect(await other.stop('one', { stopSignal: 'SIGUSR1' })).toMatchObject({ signal: 10 });
  await other.remove('one');
});

test('stop kills what does not listen', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const launched = await store.launch({ ...deaf, id: 'one' });
  expect(await launched.stop({ graceMs: 50 })).toMatchObject({ kind: 'signaled', signal: 9 });
  await launched.remove();
});

test('stop leaves a process that has ended as it is, and can be repeated', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const launched = await store.launch({
    spec: specOf('sh', '-c', 'exit 7'),
    bundle: '/',
    id: 'one',
  });
  await launched.wait();
  expect(await store.stop('one')).toMatchObject({ code: 7 });
  expect(await store.stop('one')).toMatchObject({ code: 7 });
  await launched.remove();
});

test('stop that is given up leaves the process to its signal', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const launched = await store.launch({ ...deaf, id: 'one' });
  const reason = new Error('enough');
  const before = countOpenFds();
  const signal = AbortSignal.timeout(100);
  await expect(launched.stop({ signal, graceMs: 10_000 })).rejects.toThrow('timeout');
  expect(countOpenFds()).toBeLessThanOrEqual(before);
  expect((await store.load('one')).state).toBe('running');
  await expect(launched.stop({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await launched.remove({ force: true });
});

test('stop refuses what is no signal, and an id that does not exist', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const launched = await store.launch({ ...polite, id: 'one' });
  await expect(launched.stop({ stopSignal: 'SIGNOTHING' as NodeJS.Signals })).rejects.toThrow(
    'SIGNOTHING',
  );
  expect((await store.load('one')).state).toBe('running');
  const missing: unknown = await store.stop('two').catch((error: unknown) => error);
  expect(isStoreError(missing, 'ERR_STORE_NOT_FOUND')).toBe(true);
  await launched.remove({ force: true });
});

test('signal for good is remembered by what would be started again, and by nothing else', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const isStopped = (id: string): boolean => existsSync(join(scratch.root, 'p', id, 'stop'));
  const spec = specOf('sleep', '1000');
  const restart = { name: 'always' } as const;
  for (const [id, more] of [
    ['again', { restart }],
    ['once', {}],
    ['never', { restart: { name: 'no' } }],
  ] as const) {
    await store.launch({ id, spec, bundle: '/', ...more });
  }
  await store.signal('again', 'SIGWINCH');
  expect(isStopped('again')).toBe(false);
  for (const id of ['again', 'once', 'never']) {
    await store.signal(id, 'SIGKILL', { forGood: true });
    expect(isStopped(id)).toBe(id === 'again');
    expect(await store.wait(id)).toMatchObject({ signal: 9 });
    await store.remove(id);
  }
});
