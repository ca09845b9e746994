import { rmSync } from 'node:fs';
import { unmountPrivately } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import {
  isStoreError,
  type LostEvents,
  openStore,
  type OpenStoreOptions,
  type StoreEvent,
} from '../src/index.ts';
import { gatedLauncher } from './gated-launcher.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';
import { specOf } from './spec-of.ts';

const options: OpenStoreOptions = {
  launcher: gatedLauncher,
  ...(isRoot ? {} : { tier: 'D' as const }),
};
const short = { spec: specOf('sh', '-c', 'exit 7'), bundle: '/' };

type Events = AsyncGenerator<StoreEvent | LostEvents>;

async function next(events: Events): Promise<StoreEvent> {
  const { value } = await events.next();
  if (value.type === 'lost') throw new Error('events were lost');
  return value as StoreEvent;
}

test('watch tells a whole life with the true status, wall and monotonic time', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const events = store.watch({ since: 'start' });
  const launched = await store.launch({ ...short, id: 'one' });
  const start = await next(events);
  expect(start).toMatchObject({ type: 'start', key: 'one', pid: launched.pid });
  const exit = await next(events);
  expect(exit).toMatchObject({ type: 'exit', key: 'one', exit: { kind: 'exited', code: 7 } });
  expect(exit.monotonicNs).toBeGreaterThan(start.monotonicNs);
  expect(Math.abs(Date.now() - Date.parse(exit.time))).toBeLessThan(60_000);
  await store.remove('one');
  expect(await next(events)).toMatchObject({ type: 'remove', key: 'one' });
  await events.return(undefined as never);
});

test('watch tells the end of a process that is killed by its deletion', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const events = store.watch({ since: 'start' });
  // It keeps the journal of an empty store from now on.
  const first = next(events);
  const sleeper = { spec: specOf('sleep', '1000'), bundle: '/' };
  // One by who launched it, one by somebody else.
  await store.launch({ ...sleeper, id: 'one' });
  await store.remove('one', { force: true });
  const launched = await store.launch({ ...sleeper, id: 'two' });
  await launched.detach();
  await store.remove('two', { force: true });
  const told: unknown[] = [];
  for (let count = 0; count < 6; count++) {
    const event = await (count === 0 ? first : next(events));
    told.push([event.key, event.type, event.type === 'exit' ? event.exit.kind : undefined]);
  }
  const kinds = isRoot ? ['signaled', 'signaled'] : ['signaled', 'unknown'];
  expect(told).toEqual([
    ['one', 'start', undefined],
    ['one', 'exit', kinds[0]],
    ['one', 'remove', undefined],
    ['two', 'start', undefined],
    ['two', 'exit', kinds[1]],
    ['two', 'remove', undefined],
  ]);
  await events.return(undefined as never);
});

test('watch goes on from a cursor of an earlier program', async () => {
  using scratch = new Scratch();
  await using keeper = await openStore(scratch.root, options);
  const keepsRoot = keeper.watch();
  const pending = keepsRoot.next();
  let cursor = '';
  {
    await using store = await openStore(scratch.root, options);
    const events = store.watch({ since: 'start' });
    await (await store.launch({ ...short, id: 'one' })).wait();
    cursor = (await next(events)).cursor;
    await events.return(undefined as never);
  }
  await using store = await openStore(scratch.root, options);
  const events = store.watch({ since: cursor });
  expect(await next(events)).toMatchObject({ type: 'exit', key: 'one' });
  await store.remove('one');
  expect(await next(events)).toMatchObject({ type: 'remove', key: 'one' });
  await events.return(undefined as never);
  await pending;
  await keepsRoot.return(undefined as never);
});

test('watch tells once what several stores see at the same time', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const events = store.watch({ since: 'start' });
  const others = await Promise.all(
    Array.from({ length: 4 }, () => openStore(scratch.root, options)),
  );
  const keys = Array.from({ length: 10 }, (_, index) => `p${index}`);
  await Promise.all(keys.map((id) => store.launch({ ...short, id })));
  await Promise.all(others.flatMap((other) => keys.map((key) => other.wait(key))));
  const told: string[] = [];
  while (told.length < 20) {
    const event = await next(events);
    told.push(`${event.type}:${event.key}`);
  }
  expect(new Set(told).size).toBe(20);
  for (const key of keys) {
    expect(told.indexOf(`start:${key}`)).toBeLessThan(told.indexOf(`exit:${key}`));
    await store.remove(key);
  }
  for (const key of keys) expect(await next(events)).toMatchObject({ type: 'remove', key });
  await events.return(undefined as never);
  for (const other of others) await other[Symbol.asyncDispose]();
});

test('watch keeps an empty store, and leaves nothing when it is over', async () => {
  using scratch = new Scratch();
  {
    await using store = await openStore(scratch.root, options);
    await (await store.launch(short)).wait();
    for (const process of (await store.list()).processes) await process.remove();
  }
  const before = countOpenFds();
  {
    await using store = await openStore(scratch.root, options);
    const events = store.watch({ since: 'start' });
    const first = events.next();
    await (await store.launch({ ...short, id: 'one' })).wait();
    await store.remove('one');
    await first;
    expect(await next(events)).toMatchObject({ type: 'exit' });
    expect(await next(events)).toMatchObject({ type: 'remove' });
    await events.return(undefined as never);
  }
  expect(scratch.files()).toEqual([]);
  expect(scratch.mounts()).toEqual([]);
  expect(countOpenFds()).toBe(before);
});

test('watch ends with the reason of its signal, before and while it waits', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const reason = new Error('enough');
  await expect(store.watch({ signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason);
  const controller = new AbortController();
  const waiting = store.watch({ signal: controller.signal }).next();
  setTimeout(() => controller.abort(reason), 50);
  await expect(waiting).rejects.toBe(reason);
});

test('watch refuses what is no cursor at once', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  expect(() => store.watch({ since: 'yesterday' })).toThrow('no cursor');
});

test('watch says so when its root is removed', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const waiting = store.watch().next();
  const failed = waiting.catch((error: unknown) => error);
  await expect.poll(() => scratch.files().includes('root/events')).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  unmountPrivately(scratch.root);
  rmSync(scratch.root, { recursive: true });
  expect(isStoreError(await failed, 'ERR_STORE_ROOT')).toBe(true);
});
