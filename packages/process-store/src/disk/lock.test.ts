import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { BusyError } from '../errors.ts';
import { takeLock } from './lock.ts';

test('takeLock excludes others until it is closed, with a typed error at the deadline', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'lock');
  const first = await takeLock(path, 'exclusive', { deadlineMs: 0 });
  await expect(takeLock(path, 'shared', { deadlineMs: 0 })).rejects.toThrow(BusyError);
  first?.close();
  using second = await takeLock(path, 'shared', { deadlineMs: 0 });
  using third = await takeLock(path, 'shared', { deadlineMs: 0 });
  expect([second, third]).not.toContain(undefined);
});

test('takeLock has no lock for a folder that does not exist', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'gone', 'lock');
  expect(await takeLock(path, 'exclusive', { deadlineMs: 0 })).toBeUndefined();
});

test('takeLock tells who waits that the folder was removed', async () => {
  using scratch = new Scratch();
  const folder = join(scratch.path, 'p');
  mkdirSync(folder);
  const holder = await takeLock(join(folder, 'lock'), 'exclusive', { deadlineMs: 0 });
  const waiting = takeLock(join(folder, 'lock'), 'exclusive', { deadlineMs: 10_000 });
  rmSync(folder, { recursive: true });
  holder?.close();
  expect(await waiting).toBeUndefined();
});
