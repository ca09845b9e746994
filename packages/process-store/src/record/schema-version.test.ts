import { expect, test } from 'vitest';
import { z } from 'zod';
import { BadRecordError, NewerSchemaError } from '../errors.ts';
import { parseRecord } from './parse-record.ts';
import { type RecordFormat, migrateRecord } from './schema-version.ts';

interface Letter {
  schema: 2;
  to: string;
  pages: number;
}

/** Version 0 had the name in two parts, version 1 no pages. */
const letter: RecordFormat<Letter> = {
  version: 2,
  migrations: {
    0: ({ first, last, ...rest }) => ({ ...rest, to: `${String(first)} ${String(last)}` }),
    1: (value) => ({ ...value, pages: 1 }),
  },
  schema: z.object({ schema: z.literal(2), to: z.string(), pages: z.int() }),
};

test.each([
  ['0', { schema: 0, first: 'Ada', last: 'L' }, { schema: 2, to: 'Ada L', pages: 1 }],
  ['1', { schema: 1, to: 'Ada L' }, { schema: 2, to: 'Ada L', pages: 1 }],
  ['2', { schema: 2, to: 'Ada L', pages: 3 }, { schema: 2, to: 'Ada L', pages: 3 }],
])('parseRecord lifts version %s to the present one', (_, written, read) => {
  expect(parseRecord(JSON.stringify(written), letter, '/x')).toEqual(read);
});

test('parseRecord checks what came out of a migration', () => {
  expect(() => parseRecord('{"schema":1}', letter, '/x')).toThrow(BadRecordError);
});

test('migrateRecord changes nothing that it was given', () => {
  const written = Object.freeze({ schema: 0, first: 'Ada', last: 'L' });
  migrateRecord(written, letter, '/x');
  expect(written).toEqual({ schema: 0, first: 'Ada', last: 'L' });
});

test('migrateRecord refuses a newer version by name, and says what to do', () => {
  const error: unknown = (() => {
    try {
      return migrateRecord({ schema: 3 }, letter, '/p/x/letter.json');
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(NewerSchemaError);
  expect(error).toMatchObject({ code: 'ERR_STORE_NEWER_SCHEMA', path: '/p/x/letter.json' });
  expect((error as Error).message).toContain('schema 3 was written by a newer version');
  expect((error as { hint: string }).hint).toContain('Update this program');
});

test('migrateRecord refuses an older version that no migration begins with', () => {
  const format = { ...letter, migrations: { 1: letter.migrations[1]! } };
  expect(() => migrateRecord({ schema: 0 }, format, '/x')).toThrow(/older than any/);
});

test.each([null, 7, [], {}, { schema: 'one' }, { schema: -1 }, { schema: 1.5 }])(
  'migrateRecord leaves %j, which has no version, to the schema',
  (value) => {
    expect(migrateRecord(value, letter, '/x')).toEqual(value);
    expect(() => parseRecord(JSON.stringify(value), letter, '/x')).toThrow(BadRecordError);
  },
);
