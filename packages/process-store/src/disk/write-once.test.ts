import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { openDirectory } from './open-directory.ts';
import { writeOnce } from './write-once.ts';

test('writeOnce writes the whole text, for the owner only, and leaves no other file', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  expect(await writeOnce(directory, 'a.json', 'text')).toBe(true);
  expect(await readFile(join(scratch.path, 'a.json'), 'utf8')).toBe('text');
  expect((await stat(join(scratch.path, 'a.json'))).mode & 0o777).toBe(0o600);
  expect(await readdir(scratch.path)).toEqual(['a.json']);
});

test('writeOnce keeps what is there', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  await writeOnce(directory, 'a.json', 'first');
  expect(await writeOnce(directory, 'a.json', 'second')).toBe(false);
  expect(await readFile(join(scratch.path, 'a.json'), 'utf8')).toBe('first');
  expect(await readdir(scratch.path)).toEqual(['a.json']);
});

test('writeOnce lets exactly one of many writers win, and readers see no half file', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
  const won = await Promise.all(texts.map((text) => writeOnce(directory, 'a.json', text)));
  expect(won.filter(Boolean)).toHaveLength(1);
  expect(await readFile(join(scratch.path, 'a.json'), 'utf8')).toBe(texts[won.indexOf(true)]);
  expect(await readdir(scratch.path)).toEqual(['a.json']);
});

test('writeOnce writes into the folder it was given, not into a later one of that name', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'p');
  const moved = join(scratch.path, 'moved');
  await mkdir(path);
  await using directory = await openDirectory(path);
  await rename(path, moved);
  await mkdir(path);
  await writeOnce(directory, 'a.json', 'text');
  expect(await readdir(path)).toEqual([]);
  expect(await readdir(moved)).toEqual(['a.json']);
  await rm(moved, { recursive: true });
  await expect(writeOnce(directory, 'b.json', 'text')).rejects.toMatchObject({ code: 'ENOENT' });
});

test('writeOnce passes over a temporary file that a dead process left', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  const leftovers = Array.from({ length: 200 }, (_, index) => `.a.json.${process.pid}.${index}`);
  await Promise.all(leftovers.map((name) => writeFile(join(scratch.path, name), 'old')));
  expect(await writeOnce(directory, 'a.json', 'new')).toBe(true);
  expect(await readFile(join(scratch.path, 'a.json'), 'utf8')).toBe('new');
});
