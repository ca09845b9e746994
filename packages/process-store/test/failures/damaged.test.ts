import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isPin, pidfdOpen, unpin, waitPidfd } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import type { ProcessStore } from '../../src/index.ts';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import {
  codeOf,
  failureOf,
  filesOf,
  isRunning,
  Leaks,
  open,
  run,
  short,
  sleeper,
  tierD,
  tiers,
} from './hostile.ts';

/** Ways to damage one file. None may hang a reader, none is taken for a record. */
const damages: { how: string; damage: (path: string) => void }[] = [
  { how: 'empty', damage: (path) => truncateSync(path, 0) },
  { how: 'cut short', damage: (path) => truncateSync(path, 20) },
  { how: 'text', damage: (path) => writeFileSync(path, 'not JSON at all') },
  { how: 'binary', damage: (path) => writeFileSync(path, Buffer.alloc(4096, 0xff)) },
  { how: 'of another type', damage: (path) => writeFileSync(path, '[1,2,3]') },
  { how: 'of wrong fields', damage: (path) => writeFileSync(path, '{"schema":1,"id":7}') },
  { how: 'deep', damage: (path) => writeFileSync(path, '['.repeat(200_000)) },
  { how: 'huge', damage: (path) => truncateSync(path, 2 ** 33) },
  { how: 'a directory', damage: (path) => (rmSync(path), mkdirSync(path)) },
  { how: 'a FIFO', damage: (path) => (rmSync(path), run('mkfifo', path)) },
  { how: 'a link to itself', damage: (path) => (rmSync(path), symlinkSync(path, path)) },
  {
    how: 'a link to a good file',
    damage: (path) => (renameSync(path, `${path}.good`), symlinkSync(`${path}.good`, path)),
  },
  { how: 'a device', damage: (path) => (rmSync(path), symlinkSync('/dev/zero', path)) },
];

const names = ['spec.json', 'proc.json', 'exit.json'];

test.each(names.flatMap((name) => damages.map((one) => ({ name, ...one }))))(
  'list reports a $name that is $how, shows the others and touches nothing; delete with force removes it',
  async ({ name, damage }) => {
    using scratch = new Scratch();
    {
      await using store = await open(scratch.root, tierD);
      await (await store.launch({ ...short, id: 'bad' })).wait();
      await (await store.launch({ ...short, id: 'good' })).wait();
      damage(join(scratch.root, 'p', 'bad', name));
      const before = filesOf(scratch, 'bad');
      const { processes, problems } = await store.list();
      expect(processes).toMatchObject([{ id: 'good', exit: { code: 7 } }]);
      expect(problems).toMatchObject([{ id: 'bad', problem: { code: 'ERR_STORE_BAD_RECORD' } }]);
      expect(problems[0]!.problem.message).toContain(join(scratch.root, 'p', 'bad', name));
      for (const attempt of [
        () => store.load('bad'),
        () => store.wait('bad'),
        () => store.signal('bad', 'SIGTERM'),
        () => store.remove('bad'),
        () => store.launch({ ...short, id: 'bad' }),
      ]) {
        expect(await codeOf(attempt())).toBe('ERR_STORE_BAD_RECORD');
      }
      expect(filesOf(scratch, 'bad')).toEqual(before);
      await store.remove('bad', { force: true });
      expect(existsSync(join(scratch.root, 'p', 'bad'))).toBe(false);
      await store.remove('good');
    }
    expect(scratch.files()).toEqual([]);
  },
);

test.each(tiers)(
  'delete with force kills what a damaged spec.json leaves running, in tier $tier',
  async ({ options }) => {
    using scratch = new Scratch();
    const leaks = await Leaks.watch();
    {
      await using store = await open(scratch.root, options);
      const { pid } = await store.launch({ ...sleeper, id: 'bad' });
      truncateSync(join(scratch.root, 'p', 'bad', 'spec.json'), 0);
      expect(await codeOf(store.remove('bad'))).toBe('ERR_STORE_BAD_RECORD');
      expect(isRunning(pid)).toBe(true);
      await store.remove('bad', { force: true });
      expect(isRunning(pid)).toBe(false);
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'delete with force finds the process of a damaged proc.json by its pin, and refuses without one',
  async () => {
    using scratch = new Scratch();
    const leaks = await Leaks.watch();
    {
      await using store = await open(scratch.root);
      const pinned = await store.launch({ ...sleeper, id: 'pinned' });
      const unpinned = await store.launch({ ...sleeper, id: 'unpinned' });
      using held = pidfdOpen(unpinned.pid);
      for (const id of ['pinned', 'unpinned']) {
        truncateSync(join(scratch.root, 'p', id, 'proc.json'), 0);
      }
      unpin(join(scratch.root, 'p', 'unpinned', 'pin'));
      await store.remove('pinned', { force: true });
      expect(isRunning(pinned.pid)).toBe(false);
      const refusal = await failureOf(store.remove('unpinned', { force: true }));
      expect(refusal).toMatchObject({ code: 'ERR_STORE_DAMAGED_RECORD' });
      expect(refusal.message).toContain('it has no pin');
      expect(isRunning(unpinned.pid)).toBe(true);
      expect(existsSync(join(scratch.root, 'p', 'unpinned', 'spec.json'))).toBe(true);
      process.kill(unpinned.pid, 'SIGKILL');
      await waitPidfd(held, { until: 'reaped' });
      // The launcher has recorded the end: that proves it.
      await expect
        .poll(() => existsSync(join(scratch.root, 'p', 'unpinned', 'exit.json')))
        .toBe(true);
      await store.remove('unpinned', { force: true });
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.each(tiers)(
  'a missing proc.json of a running process is reported, and its record is not taken for a dead launch, in tier $tier',
  async ({ tier, options }) => {
    using scratch = new Scratch();
    await using store = await open(scratch.root, options);
    const { pid } = await store.launch({ ...sleeper, id: 'bad' });
    const folder = join(scratch.root, 'p', 'bad');
    renameSync(join(folder, 'proc.json'), join(scratch.root, 'kept'));
    expect((await store.list()).problems).toMatchObject([{ id: 'bad' }]);
    for (const attempt of [
      () => store.load('bad'),
      () => store.remove('bad'),
      () => store.launch({ ...short, id: 'bad' }),
    ]) {
      expect(await codeOf(attempt())).toBe('ERR_STORE_BAD_RECORD');
    }
    expect(existsSync(join(folder, 'spec.json'))).toBe(true);
    expect(isPin(join(folder, 'pin'))).toBe(tier === 'A');
    expect(isRunning(pid)).toBe(true);
    const outcome = await codeOf(store.remove('bad', { force: true }));
    expect(outcome).toEqual(tier === 'A' ? new Error('it succeeded') : 'ERR_STORE_DAMAGED_RECORD');
    expect(isRunning(pid)).toBe(tier === 'D');
    if (tier === 'D') process.kill(pid, 'SIGKILL');
  },
);

test('a folder that nobody launched into keeps what is in it', async () => {
  using scratch = new Scratch();
  await using store = await open(scratch.root, tierD);
  const folder = join(scratch.root, 'p', 'letters');
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'letter.txt'), 'dear');
  const { problems } = await store.list();
  expect(problems).toMatchObject([{ id: 'letters', problem: { code: 'ERR_STORE_BAD_RECORD' } }]);
  expect(problems[0]!.problem.message).toContain('letter.txt');
  expect(await codeOf(store.launch({ ...short, id: 'letters' }))).toBe('ERR_STORE_BAD_RECORD');
  expect(await codeOf(store.remove('letters'))).toBe('ERR_STORE_BAD_RECORD');
  expect(readFileSync(join(folder, 'letter.txt'), 'utf8')).toBe('dear');
});

test('files that are not ours in a record hinder nothing', async () => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'one' })).wait();
    const folder = join(scratch.root, 'p', 'one');
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    writeFileSync(join(folder, '.hidden'), 'mine');
    mkdirSync(join(folder, '.x.1.1'));
    expect(await store.list()).toMatchObject({ processes: [{ id: 'one' }], problems: [] });
    expect(await store.wait('one')).toMatchObject({ code: 7 });
    expect(existsSync(join(folder, '.hidden'))).toBe(true);
    await store.remove('one');
  }
  expect(scratch.files()).toEqual([]);
});

const strays: { what: string; make: (path: string, outside: string) => void }[] = [
  { what: 'a file', make: (path) => writeFileSync(path, 'x') },
  { what: 'a FIFO', make: (path) => run('mkfifo', path) },
  { what: 'a link to a directory', make: (path, outside) => symlinkSync(outside, path) },
  { what: 'a link to nowhere', make: (path) => symlinkSync('/nonexistent/x', path) },
];

test.each(strays)(
  '$what in the place of a record is reported, led nowhere by, and removed only with force',
  async ({ make }) => {
    using scratch = new Scratch();
    const outside = join(scratch.path, 'outside');
    mkdirSync(outside);
    {
      await using store = await open(scratch.root, tierD);
      const path = join(scratch.root, 'p', 'stray');
      make(path, outside);
      const kind = lstatSync(path).mode;
      expect((await store.list()).problems).toMatchObject([
        { id: 'stray', problem: { code: 'ERR_STORE_BAD_RECORD' } },
      ]);
      for (const attempt of attempts(store, 'stray')) {
        expect(await codeOf(attempt())).toBe('ERR_STORE_BAD_RECORD');
      }
      expect(lstatSync(path).mode).toBe(kind);
      expect(scratch.files().filter((name) => name.startsWith('outside/'))).toEqual([]);
      await store.remove('stray', { force: true });
    }
    expect(scratch.files()).toEqual(['outside']);
  },
);

function attempts(store: ProcessStore, id: string) {
  return [
    () => store.load(id),
    () => store.wait(id),
    () => store.signal(id, 'SIGTERM'),
    () => store.remove(id),
    () => store.launch({ ...short, id }),
  ];
}

test.each([
  { name: 'lock', code: 'ERR_STORE_BAD_RECORD' },
  { name: 'released', code: undefined },
  { name: 'pin', code: undefined },
])('a directory called $name hinders no other record', async ({ name, code }) => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'bad' })).wait();
    await (await store.launch({ ...short, id: 'good' })).wait();
    const path = join(scratch.root, 'p', 'bad', name);
    rmSync(path, { force: true });
    mkdirSync(path);
    const { processes } = await store.list();
    expect(processes.map(({ id }) => id)).toContain('good');
    const outcome = await codeOf(store.remove('bad', { force: true }));
    expect(outcome).toEqual(code ?? new Error('it succeeded'));
    rmSync(join(scratch.root, 'p', 'bad'), { recursive: true, force: true });
    await store.remove('good');
  }
  expect(scratch.files()).toEqual([]);
});

test('list of a root with records and no meta.json shows them, and removes what a dead launch left', async () => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch.root, tierD);
    await (await store.launch({ ...short, id: 'one' })).wait();
    for (const name of ['meta.json', 'gone', 'lock']) {
      rmSync(join(scratch.root, name), { recursive: true });
    }
    mkdirSync(join(scratch.root, 'p', 'abandoned'), { mode: 0o700 });
  }
  {
    await using store = await open(scratch.root, { create: false });
    expect(await store.list()).toMatchObject({ processes: [{ id: 'one' }], problems: [] });
    expect(existsSync(join(scratch.root, 'p', 'abandoned'))).toBe(false);
    await store.remove('one');
  }
  rmSync(scratch.root, { recursive: true, force: true });
  expect(scratch.files()).toEqual([]);
});

test.each(damages)(
  'a meta.json that is $how is told by name; records still work',
  async ({ damage }) => {
    using scratch = new Scratch();
    {
      await using store = await open(scratch.root, tierD);
      await (await store.launch({ ...short, id: 'one' })).wait();
      const path = join(scratch.root, 'meta.json');
      const good = readFileSync(path);
      damage(path);
      expect(await store.list()).toMatchObject({ processes: [{ id: 'one' }], problems: [] });
      const failure = await failureOf(store.launch({ ...short, id: 'two' }));
      expect(failure).toMatchObject({ code: 'ERR_STORE_BAD_RECORD', path });
      expect(await codeOf(store.remove('one'))).toMatchObject({ message: 'it succeeded' });
      rmSync(path, { recursive: true });
      rmSync(`${path}.good`, { force: true });
      writeFileSync(path, good);
    }
    expect(scratch.files()).toEqual([]);
  },
);
