import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../scratch.ts';
import { codeOf, failureOf, filesOf, forge, open, short, tierD } from './hostile.ts';

test.each(['spec.json', 'proc.json', 'exit.json'])(
  'a %s of a newer schema is refused by name, skipped by list, and never deleted or rewritten',
  async (name) => {
    using scratch = new Scratch();
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'newer' })).wait();
    await (await store.launch({ ...short, id: 'good' })).wait();
    forge(scratch.root, 'newer', name, { schema: 2, invented: 'later' });
    const path = join(scratch.root, 'p', 'newer', name);
    const before = readFileSync(path, 'utf8');
    const files = filesOf(scratch, 'newer');

    const { processes, problems } = await store.list();
    expect(processes).toMatchObject([{ id: 'good', exit: { code: 7 } }]);
    expect(problems).toMatchObject([{ id: 'newer', problem: { code: 'ERR_STORE_NEWER_SCHEMA' } }]);
    const failure = await failureOf(store.load('newer'));
    expect(failure).toMatchObject({ code: 'ERR_STORE_NEWER_SCHEMA', path });
    expect(failure.message).toContain('schema 2 was written by a newer version');
    expect((failure as { hint?: string }).hint).toContain('Update');
    for (const attempt of [
      () => store.wait('newer'),
      () => store.signal('newer', 'SIGTERM'),
      () => store.remove('newer'),
      () => store.remove('newer', { force: true }),
      () => store.launch({ ...short, id: 'newer' }),
    ]) {
      expect(await codeOf(attempt())).toBe('ERR_STORE_NEWER_SCHEMA');
    }
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(filesOf(scratch, 'newer')).toEqual(files);

    forge(scratch.root, 'newer', name, { schema: 1 });
    await store.remove('newer');
    await store.remove('good');
  },
);

test('a meta.json of a newer schema is refused by launch and left by tidying; records still work', async () => {
  using scratch = new Scratch();
  const path = join(scratch.root, 'meta.json');
  {
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'one' })).wait();
    forge(scratch.root, '..', 'meta.json', { schema: 2 });
    expect(await codeOf(store.launch({ ...short, id: 'two' }))).toBe('ERR_STORE_NEWER_SCHEMA');
    expect(await codeOf(open(scratch.root))).toBe('ERR_STORE_NEWER_SCHEMA');
    expect(await store.list()).toMatchObject({ processes: [{ id: 'one' }], problems: [] });
    await store.remove('one');
  }
  expect(existsSync(path)).toBe(true);
  forge(scratch.root, '..', 'meta.json', { schema: 1 });
  await (await open(scratch.root, tierD))[Symbol.asyncDispose]();
  expect(scratch.files()).toEqual([]);
});
