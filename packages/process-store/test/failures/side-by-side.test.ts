import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Scratch } from '../scratch.ts';
import { codeOf, open, short, tierD } from './hostile.ts';

type OpenDirectory = typeof import('../../src/disk/open-directory.ts');

/** What another program does between the opening of a folder and the first look into it. */
let meanwhile: ((path: string) => void) | undefined;

vi.mock('../../src/disk/open-directory.ts', async (original) => {
  const { openDirectory } = await original<OpenDirectory>();
  return {
    async openDirectory(path: string) {
      const directory = await openDirectory(path);
      meanwhile?.(path);
      return directory;
    },
  };
});

test.each(['proc.json', 'spec.json'])(
  'a record that another program is deleting, and whose %s has gone first, is not found rather than damaged',
  async (name) => {
    using scratch = new Scratch();
    {
      await using store = await open(scratch.root, tierD);
      const folder = join(scratch.root, 'p', 'one');
      const looks = [
        async () => expect(await store.list()).toEqual({ processes: [], problems: [] }),
        async () => expect(await codeOf(store.load('one'))).toBe('ERR_STORE_NOT_FOUND'),
        async () => expect(await codeOf(store.wait('one'))).toBe('ERR_STORE_NOT_FOUND'),
        async () => expect(await codeOf(store.signal('one', 15))).toBe('ERR_STORE_NOT_FOUND'),
      ];
      for (const look of looks) {
        await (await store.launch({ ...short, id: 'one' })).wait();
        // Until its end is told, which opens the folder as well.
        await store.load('one');
        meanwhile = (path) => {
          if (path !== folder) return;
          meanwhile = undefined;
          renameSync(folder, join(scratch.root, 'gone', 'one'));
          rmSync(join(scratch.root, 'gone', 'one', name));
        };
        await look();
        rmSync(join(scratch.root, 'gone', 'one'), { recursive: true });
      }
    }
    expect(scratch.files()).toEqual([]);
  },
);

test('a record that loses a file and is not being deleted is damaged', async () => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'one' })).wait();
    await store.load('one');
    const folder = join(scratch.root, 'p', 'one');
    meanwhile = (path) => {
      if (path !== folder) return;
      meanwhile = undefined;
      rmSync(join(folder, 'proc.json'));
    };
    // Here nobody deletes it: it is damaged.
    expect(await codeOf(store.load('one'))).toBe('ERR_STORE_BAD_RECORD');
    await store.remove('one', { force: true });
  }
  expect(scratch.files()).toEqual([]);
});
