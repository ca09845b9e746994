import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidArgError, MalformedArgError } from '../errors.ts';
import type { JsonValue } from '../json/json-value.ts';
import { decodeInitError, encodeInitError, type InitErrorArg } from './init-error.ts';

test('encodeInitError writes the message as runc does', () => {
  expect(encodeInitError({ message: 'open <x>: no' })).toBe(
    '{"message":"open \\u003cx\\u003e: no"}',
  );
});

test('encodeInitError leaves an empty message out', () => {
  expect(encodeInitError({ message: '' })).toBe('{}');
  expect(encodeInitError({ message: '', stage: 'mount' })).toBe('{"stage":"mount"}');
});

test('encodeInitError puts the message first, whatever the order it is given in', () => {
  expect(encodeInitError({ stage: 'mount', errno: -1, message: 'x', skipped: undefined })).toBe(
    '{"message":"x","stage":"mount","errno":-1}',
  );
});

test.each<[string, InitErrorArg]>([
  ['a member that reads as message', { message: 'x', Message: 'y' }],
  ['a member that folds to message', { message: 'x', 'me\u017fsage': 'y' }],
  ['a message that is no text', { message: 3 as unknown as string }],
  ['a member that JSON cannot hold', { message: 'x', ratio: Number.NaN }],
])('encodeInitError refuses %s', (_what, arg) => {
  expect(() => encodeInitError(arg)).toThrow(InvalidArgError);
});

test('decodeInitError keeps every member beside the message', () => {
  const extras = fc.dictionary(
    fc.string({ unit: 'binary' }).filter((key) => !/^me[s\u017f]{2}age$/i.test(key)),
    fc.oneof(fc.jsonValue() as fc.Arbitrary<JsonValue>, fc.bigInt({ min: 2n ** 53n })),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), extras, (message, extra) => {
      const raw = encodeInitError({ ...extra, message });
      const arg = decodeInitError(raw);
      expect(new Set(Object.keys(arg))).toEqual(new Set(['message', ...Object.keys(extra)]));
      expect(encodeInitError(arg)).toBe(raw);
    }),
  );
});

test.each<[string, InitErrorArg]>([
  ['{}', { message: '' }],
  ['{"message":null}', { message: '' }],
  ['{"MESSAGE":"x"}', { message: 'x' }],
  ['{"Message":"x","message":"y"}', { message: 'y' }],
  [
    '{"Timestamp":"2026-11-21T23:43:36Z","ECode":10,"Cause":"","Message":"m","Stack":{"Frames":null}}',
    {
      message: 'm',
      Timestamp: '2026-11-21T23:43:36Z',
      ECode: 10,
      Cause: '',
      Stack: { Frames: null },
    },
  ],
])('decodeInitError reads %s', (raw, arg) => {
  expect(decodeInitError(raw)).toEqual(arg);
});

test('decodeInitError keeps a 64-bit member exact', () => {
  expect(decodeInitError('{"message":"x","limit":18446744073709551615}')).toEqual({
    message: 'x',
    limit: 18446744073709551615n,
  });
});

test.each([
  ['[]', '', 'an object', 'an array'],
  ['"x"', '', 'an object', 'string'],
  ['null', '', 'an object', 'null'],
  ['{"message":3}', 'message', 'string', '3'],
  ['{"message":{}}', 'message', 'string', 'an object'],
  ['{', '', 'one JSON value', '"{"'],
])('decodeInitError refuses %s', (raw, path, expected, received) => {
  const error = malformed(() => decodeInitError(raw));
  expect(error).toMatchObject({
    code: 'ERR_SYNC_MALFORMED_ARG',
    type: 'procError',
    path,
    expected,
    received,
  });
});

function malformed(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    if (error instanceof MalformedArgError) return error;
  }
  return undefined;
}
