import { appendFileSync, renameSync, truncateSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { beforeAll, expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { formatCriLine } from './cri-line.ts';
import { type LogLine, readLog, type ReadLogOptions } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';

// Node opens one inotify descriptor for all watchers, and keeps it.
beforeAll(() => watch('/').close());

const SECOND = 1_000_000_000n;
const START = 1_700_000_000n * SECOND;

/** Line `number` is from that second. */
const line = (number: number): Buffer =>
  formatCriLine(START + BigInt(number) * SECOND, 'stdout', false, Buffer.from(String(number)));

const lines = (from: number, to: number): Buffer =>
  Buffer.concat(Array.from({ length: to - from }, (_, index) => line(from + index)));

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

async function read(path: string, options: ReadLogOptions): Promise<LogLine[]> {
  const all: LogLine[] = [];
  for await (const one of readLog(path, options)) all.push(one);
  return all;
}

const texts = (found: readonly LogLine[]): string[] =>
  found.map(({ content }) => content.toString());

/** Three files with lines 0 to 8. */
function writeParts(scratch: Scratch): string {
  const path = join(scratch.path, 'log');
  writeFileSync(`${path}.2`, lines(0, 3));
  writeFileSync(`${path}.1`, lines(3, 6));
  writeFileSync(path, lines(6, 9));
  writeFileSync(`${path}.gz`, 'not a part');
  writeFileSync(join(scratch.path, 'log2'), 'another log');
  return path;
}

test('readLog reads the rotated files first, and all fields', async () => {
  using scratch = new Scratch();
  const path = writeParts(scratch);
  await withoutFdLeak(async () => {
    const found = await read(path, { format: 'cri' });
    expect(texts(found)).toEqual(range(0, 9));
    expect(found[3]).toEqual({
      time: '2023-11-14T22:13:23.000000000Z',
      stream: 'stdout',
      partial: false,
      content: Buffer.from('3'),
    });
  });
});

test('readLog reads over a gap in the numbers, where a rotation was cut off', async () => {
  using scratch = new Scratch();
  const path = writeParts(scratch);
  renameSync(`${path}.2`, `${path}.3`);
  renameSync(`${path}.1`, `${path}.2`);
  expect(texts(await read(path, { format: 'cri' }))).toEqual(range(0, 9));
});

test.each([0, 1, 2, 3, 4, 6, 7, 8, 9, 20])(
  'readLog with tail %d gives the last lines',
  async (tail) => {
    using scratch = new Scratch();
    const path = writeParts(scratch);
    await withoutFdLeak(async () => {
      const expected = range(0, 9).slice(Math.max(0, 9 - tail));
      expect(texts(await read(path, { format: 'cri', tail }))).toEqual(expected);
    });
  },
);

test.each([
  ['', 3, []],
  ['a', 1, ['a']],
  ['a\n', 1, ['a']],
  ['a\nb', 1, ['b']],
  ['a\nb', 2, ['a', 'b']],
  ['\n\n', 1, ['']],
  ['a\n\n', 2, ['a', '']],
  [`${'x'.repeat(70_000)}\n${'y'.repeat(70_000)}\n`, 1, ['y'.repeat(70_000)]],
])('readLog knows the last lines of a raw log %#', async (text, tail, expected) => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  writeFileSync(path, text);
  expect(texts(await read(path, { format: 'raw', tail }))).toEqual(expected);
});

test('readLog with since leaves out what is older, by the nanosecond', async () => {
  using scratch = new Scratch();
  const path = writeParts(scratch);
  const since = '2023-11-14T23:13:25.000000000+01:00';
  expect(texts(await read(path, { format: 'cri', since }))).toEqual(range(5, 9));
  const later = '2023-11-14T22:13:25.000000001Z';
  expect(texts(await read(path, { format: 'cri', since: later }))).toEqual(range(6, 9));
  const date = new Date('2023-11-14T22:13:27Z');
  expect(texts(await read(path, { format: 'cri', since: date, tail: 8 }))).toEqual(range(7, 9));
});

test('readLog shows lines that are none, and no line that is being written', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  writeFileSync(path, Buffer.concat([Buffer.from('hello\n'), line(1), line(2).subarray(0, -1)]));
  const found = await read(path, { format: 'cri' });
  expect(texts(found)).toEqual(['hello', '1']);
  expect(found[0]).toEqual({
    time: null,
    stream: null,
    partial: false,
    content: Buffer.from('hello'),
  });
});

test('readLog of a raw log gives any bytes, and marks an end without newline', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  writeFileSync(path, Buffer.from([0xff, 0x00, 0x0a, 0x0a, 0x41]));
  const found = await read(path, { format: 'raw' });
  expect(found.map(({ content, partial }) => [...content, partial])).toEqual([
    [0xff, 0x00, false],
    [false],
    [0x41, true],
  ]);
});

test('readLog gives a raw line without end in pieces of at least 1 MiB', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const bytes = Buffer.alloc(3_000_000, 'abc');
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('\nnext\n')]));
  const found = await read(path, { format: 'raw' });
  expect(found.length).toBeGreaterThan(2);
  expect(Buffer.concat(found.slice(0, -1).map(({ content }) => content)).equals(bytes)).toBe(true);
  expect(found.slice(0, -2).every(({ partial }) => partial)).toBe(true);
  expect(found.at(-1)).toMatchObject({ partial: false, content: Buffer.from('next') });
});

test.each([
  ['a log that does not exist', { format: 'cri' }],
  ['a raw log since a time', { format: 'raw', since: new Date() }],
  ['since no time', { format: 'cri', since: 'yesterday' }],
  ['since no date', { format: 'cri', since: new Date('no') }],
  ['half a line of tail', { format: 'cri', tail: 0.5 }],
] as [string, ReadLogOptions][])(
  'readLog refuses %s, with path and hint',
  async (_what, options) => {
    using scratch = new Scratch();
    const path = join(scratch.path, 'log');
    await withoutFdLeak(async () => {
      const refused = { code: 'ERR_STORE_LOG', path, hint: expect.stringMatching(/./) };
      await expect(read(path, options)).rejects.toMatchObject(refused);
    });
  },
);

test('readLog that follows gives each line once over many rotations, and ends with its signal', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    const controller = new AbortController();
    const found: string[] = [];
    const following = (async () => {
      // There is no log yet.
      const options = { format: 'cri', follow: true, signal: controller.signal } as const;
      for await (const one of readLog(path, options)) found.push(one.content.toString());
    })();
    const ended = following.catch((error: unknown) => error);
    await using writer = await LogWriter.open(path, { maxBytes: 200, maxFiles: 50 });
    for (let i = 0; i < 150; i += 1) await writer.write([line(i)]);
    await expect.poll(() => found.length).toBe(150);
    expect(found).toEqual(range(0, 150));
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await ended).toBe(reason);
  });
});

test('readLog that follows reads to the end when what it waits for has settled', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reading = read(path, { format: 'cri', follow: true, tail: 1, until: promise });
    writeFileSync(path, lines(0, 3));
    resolve();
    expect(texts(await reading).at(-1)).toBe('2');
    const nothing = {
      format: 'cri',
      follow: true,
      until: Promise.reject(new Error('any')),
    } as const;
    expect(await read(join(scratch.path, 'never'), nothing)).toEqual([]);
  });
});

test('readLog that follows reads what goes into the renamed file before the new one is used', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  writeFileSync(path, lines(0, 1));
  await withoutFdLeak(async () => {
    const following = readLog(path, { format: 'cri', follow: true });
    const next = async (): Promise<string> => String((await following.next()).value?.content);
    expect(await next()).toBe('0');
    // As logrotate(8) with `create`, whose writer takes notice later.
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    const coming = next();
    appendFileSync(`${path}.1`, lines(1, 3));
    expect([await coming, await next()]).toEqual(['1', '2']);
    appendFileSync(path, lines(3, 4));
    expect(await next()).toBe('3');
    await following.return();
  });
});

test('readLog that follows is not misled by a line that was taken back, nor by a log emptied in place', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const first = lines(0, 2);
  writeFileSync(path, Buffer.concat([first, line(2).subarray(0, 20)]));
  await withoutFdLeak(async () => {
    const following = readLog(path, { format: 'cri', follow: true });
    const next = async (): Promise<string> => String((await following.next()).value?.content);
    expect([await next(), await next()]).toEqual(['0', '1']);
    const coming = next();
    truncateSync(path, first.length);
    appendFileSync(path, line(7));
    expect(await coming).toBe('7');
    const after = next();
    truncateSync(path, 0);
    appendFileSync(path, line(8));
    expect(await after).toBe('8');
    await following.return();
  });
});
