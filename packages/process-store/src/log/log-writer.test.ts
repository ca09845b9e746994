import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { formatCriLine, parseCriLine } from './cri-line.ts';
import { LogWriter, type LogWriterOptions } from './log-writer.ts';

const TIME = 1_700_000_000_000_000_000n;

/** A line of 50 bytes with this number in it. */
const line = (number: number): Buffer =>
  formatCriLine(TIME, 'stdout', false, Buffer.from(String(number).padStart(9, '0')));

const lines = (from: number, to: number): Buffer[] =>
  Array.from({ length: to - from }, (_, index) => line(from + index));

const contents = (path: string): string[] =>
  readFileSync(path)
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((text) => parseCriLine(Buffer.from(text, 'latin1'))!.content.toString());

const numbers = (path: string): number[] => contents(path).map(Number);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

async function withWriter(
  options: LogWriterOptions,
  body: (writer: LogWriter, path: string) => Promise<void>,
): Promise<void> {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(path, options);
    await body(writer, path);
  });
}

test('LogWriter.write appends, in the order of the calls, to a file of mode 0640', async () => {
  await withWriter({}, async (writer, path) => {
    await Promise.all([writer.write(lines(0, 3)), writer.write(lines(3, 5)), writer.write([])]);
    expect(numbers(path)).toEqual(range(0, 5));
    expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
  });
});

test('LogWriter.write rotates between lines and keeps so many files', async () => {
  await withWriter({ maxBytes: 150, maxFiles: 3 }, async (writer, path) => {
    await writer.write(lines(0, 10));
    expect(numbers(path)).toEqual([9]);
    expect(numbers(`${path}.1`)).toEqual([6, 7, 8]);
    expect(numbers(`${path}.2`)).toEqual([3, 4, 5]);
    expect(existsSync(`${path}.3`)).toBe(false);
  });
});

test('LogWriter.write keeps only the current file where one is allowed', async () => {
  await withWriter({ maxBytes: 150, maxFiles: 1 }, async (writer, path) => {
    for (const one of lines(0, 7)) await writer.write([one]);
    expect(numbers(path)).toEqual([6]);
    expect(existsSync(`${path}.1`)).toBe(false);
  });
});

test('LogWriter.write gives a line that is longer than the limit a file of its own', async () => {
  await withWriter({ maxBytes: 60, maxFiles: 4 }, async (writer, path) => {
    const long = formatCriLine(TIME, 'stdout', true, Buffer.alloc(500, '7'));
    await writer.write([line(1), long, line(2)]);
    expect(numbers(path)).toEqual([2]);
    expect(contents(`${path}.1`)).toEqual(['7'.repeat(500)]);
    expect(numbers(`${path}.2`)).toEqual([1]);
  });
});

test('LogWriter.write fills a gap that a crash within a rotation left, and loses nothing', async () => {
  await withWriter({ maxBytes: 50, maxFiles: 4 }, async (writer, path) => {
    await writer.write(lines(0, 3));
    renameSync(`${path}.2`, `${path}.3`);
    renameSync(`${path}.1`, `${path}.2`);
    await writer.write(lines(3, 4));
    expect([3, 2, 1].map((index) => numbers(`${path}.${index}`))).toEqual([[0], [1], [2]]);
    expect(numbers(path)).toEqual([3]);
  });
});

test('LogWriter.reopen goes on in a new file after a rename', async () => {
  await withWriter({ checkMs: 1e9 }, async (writer, path) => {
    await writer.write(lines(0, 2));
    renameSync(path, `${path}.old`);
    await writer.write(lines(2, 3));
    await writer.reopen();
    await writer.write(lines(3, 4));
    expect(numbers(`${path}.old`)).toEqual([0, 1, 2]);
    expect(numbers(path)).toEqual([3]);
  });
});

test('LogWriter.write notices by itself that the file was renamed, replaced or emptied', async () => {
  await withWriter({ checkMs: 0, maxBytes: 150 }, async (writer, path) => {
    await writer.write(lines(0, 2));
    renameSync(path, `${path}.old`);
    await writer.write(lines(2, 3));
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
    await writer.write(lines(3, 5));
    expect(numbers(path)).toEqual([3, 4]);
    writeFileSync(path, '');
    await writer.write(lines(5, 8));
    expect(numbers(path)).toEqual([5, 6, 7]);
  });
});

test('LogWriter.write goes on in the file it has when there is no directory any more', async () => {
  using scratch = new Scratch();
  const directory = join(scratch.path, 'logs');
  mkdirSync(directory);
  const warnings: unknown[] = [];
  await withoutFdLeak(async () => {
    await using writer = await LogWriter.open(join(directory, 'log'), {
      checkMs: 0,
      maxBytes: 50,
      onWarning: (warning) => warnings.push(warning),
    });
    rmSync(directory, { recursive: true });
    await writer.write(lines(0, 3));
    await writer.write(lines(3, 5));
    expect(writer.droppedBytes).toBe(0);
    mkdirSync(directory);
    await writer.write(lines(5, 6));
    expect(numbers(writer.path)).toEqual([5]);
  });
  // Once, though it is tried with each call.
  expect(warnings).toEqual([
    expect.objectContaining({ code: 'ERR_STORE_LOG', message: expect.stringContaining('ENOENT') }),
  ]);
});

test('LogWriter: two writers of one log lose no line and cut none, though both rotate', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    const options = { maxBytes: 500, maxFiles: 100, checkMs: 0 };
    await using one = await LogWriter.open(path, options);
    await using other = await LogWriter.open(path, options);
    await Promise.all(
      [one, other].map(async (writer, index) => {
        for (let i = 0; i < 100; i += 1) await writer.write([line(index * 1000 + i)]);
      }),
    );
  });
  const names = scratch.files();
  const all = names.flatMap((name) => numbers(join(scratch.path, name)));
  expect(all.toSorted((a, b) => a - b)).toEqual([...range(0, 100), ...range(1000, 1100)]);
  expect(names.length).toBeGreaterThan(15);
});

test('LogWriter.open makes every line parse, wherever a crash has cut the last one', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const whole = formatCriLine(TIME, 'stdout', false, Buffer.from('some content'));
  const cut = fc.integer({ min: 0, max: whole.length });
  await fc.assert(
    fc.asyncProperty(cut, fc.boolean(), async (bytes, hasOthers) => {
      writeFileSync(
        path,
        Buffer.concat([...(hasOthers ? [line(1)] : []), whole.subarray(0, bytes)]),
      );
      await using writer = await LogWriter.open(path);
      await writer.write([line(2)]);
      // Throws if a line does not parse.
      const found = contents(path);
      const header = whole.length - 'some content\n'.length;
      const kept =
        bytes < header ? [] : [whole.toString('latin1', header, bytes).replace('\n', '')];
      const before = hasOthers ? ['000000001'] : [];
      expect(found).toEqual([...before, ...kept, '000000002']);
    }),
  );
});

test('LogWriter.open keeps what is not ours, and begins a line after it', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  writeFileSync(path, 'x'.repeat(100_000));
  await using writer = await LogWriter.open(path);
  await writer.write([line(1)]);
  expect(readFileSync(path, 'latin1')).toBe(`${'x'.repeat(100_000)}\n${line(1).toString()}`);
});

test('LogWriter.open refuses what is no regular file, with path and hint', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  await withoutFdLeak(async () => {
    const refused = { code: 'ERR_STORE_LOG', path, hint: expect.stringMatching(/./) };
    mkdirSync(path);
    await expect(LogWriter.open(path)).rejects.toMatchObject(refused);
    rmSync(path, { recursive: true });
    symlinkSync('/dev/null', path);
    await expect(LogWriter.open(path)).rejects.toMatchObject(refused);
  });
});

test('LogWriter.close waits for what is being written, and nothing is written afterwards', async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, 'log');
  const writer = await LogWriter.open(path);
  const writing = writer.write(lines(0, 2000));
  await writer.close();
  expect(numbers(path)).toHaveLength(2000);
  await writing;
  await expect(writer.write(lines(0, 1))).rejects.toThrow(/its writer is closed/);
  await writer.close();
});
