import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeGenericError,
  encodeGenericError,
  genericErrorCodes,
  genericErrorOf,
  systemErrorCode,
  type GenericError,
} from './generic-error.ts';

// As sent by runc 1.0.3, with the package name of its one frame shortened.
const sent =
  '{"Timestamp":"2026-11-21T23:43:36.273587738Z","ECode":10,"Cause":"","Message":"exec: \\"/bin/nope\\": stat /bin/nope: no such file or directory","Stack":{"Frames":[{"File":"factory_linux.go","Function":"func1","Package":"p","Line":389}]}}';

test('encodeGenericError reproduces the object of runc 1.0.3 byte for byte', () => {
  const error = decodeGenericError(sent);
  expect(error.Message).toBe('exec: "/bin/nope": stat /bin/nope: no such file or directory');
  expect(encodeGenericError(error)).toBe(sent);
});

test('decodeGenericError gives back what encodeGenericError was given', () => {
  const text = fc.string({ unit: 'grapheme' });
  const any: fc.Arbitrary<GenericError> = fc.record(
    {
      Timestamp: text,
      ECode: fc.integer(),
      Cause: text,
      Message: text,
      Stack: fc.record({
        Frames: fc.option(
          fc.array(fc.record({ File: text, Function: text, Package: text, Line: fc.integer() })),
        ),
      }),
    },
    { requiredKeys: ['Timestamp', 'ECode', 'Message', 'Stack'] },
  );
  fc.assert(
    fc.property(any, (error) => {
      expect(decodeGenericError(encodeGenericError(error))).toEqual(error);
    }),
  );
});

test('decodeGenericError fills in what is missing and reads keys in any letter case', () => {
  expect(decodeGenericError('{"message":"x","stack":{"frames":[{"LINE":3}]},"extra":1}')).toEqual({
    Timestamp: '',
    ECode: 0,
    Message: 'x',
    Stack: { Frames: [{ File: '', Function: '', Package: '', Line: 3 }] },
  });
});

test.each(['[]', 'null', '{"Message":1}', '{"Stack":{"Frames":{}}}', '{"ECode":"10"}', '{'])(
  'decodeGenericError refuses %s',
  (raw) => {
    expect(() => decodeGenericError(raw)).toThrow(
      expect.objectContaining({ code: 'ERR_SYNC_MALFORMED_ARG' }),
    );
  },
);

test('genericErrorOf drops trailing zeros of the time as Go does', () => {
  const at = (time: string): string => genericErrorOf('x', new Date(time)).Timestamp;
  expect(at('2026-11-21T23:43:30.000Z')).toBe('2026-11-21T23:43:30Z');
  expect(at('2026-11-21T23:43:36.120Z')).toBe('2026-11-21T23:43:36.12Z');
  expect(genericErrorCodes[systemErrorCode]).toBe('system error');
});
