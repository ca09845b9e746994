import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonError } from '../errors.ts';
import { maxJsonDepth, type JsonValue } from './json-value.ts';
import { parseExactJson } from './parse.ts';
import { stringifyExactJson } from './stringify.ts';

test.each([
  ['18446744073709551615', 18446744073709551615n],
  ['-9223372036854775808', -9223372036854775808n],
  ['9007199254740991', 9007199254740991],
  ['9007199254740992', 9007199254740992n],
  ['9007199254740993', 9007199254740993n],
  ['-9007199254740992', -9007199254740992n],
  ['0', 0],
  ['-0', -0],
  ['1.5', 1.5],
  ['1e4', 10_000],
  ['1e20', 1e20],
  [' "\\u00e4\\ud83d\\ude80" ', 'ä🚀'],
  ['[ ]', []],
  ['{}', {}],
  ['null', null],
])('parseExactJson reads %s', (text, value) => {
  expect(parseExactJson(text)).toStrictEqual(value);
});

test('parseExactJson keeps an integer exact wherever it stands', () => {
  const text =
    '{"a":1,"a":[18446744073709551615,{"b":9007199254740993}],"__proto__":{"c":-9007199254740993}}';
  const value = parseExactJson(text) as Record<string, unknown>;
  expect(value['a']).toEqual([18446744073709551615n, { b: 9007199254740993n }]);
  expect(Object.hasOwn(value, '__proto__')).toBe(true);
  expect(value['__proto__']).toEqual({ c: -9007199254740993n });
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

test('parseExactJson gives back what stringifyExactJson wrote', () => {
  const exact = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(null, true, false),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 200n }),
      fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
    ),
  })).value;
  fc.assert(
    fc.property(exact, (value) => {
      expect(parseExactJson(stringifyExactJson(value))).toEqual(value);
    }),
    { numRuns: 500 },
  );
});

test('parseExactJson names the offset where the grammar broke', () => {
  expect(() => parseExactJson('{"a":1 "b"}')).toThrow(
    'read JSON: expected "," or "}" at offset 7, found "\\""',
  );
  expect(() => parseExactJson('[1,')).toThrow(
    'expected a value at offset 3, found the end of the text',
  );
});

test.each([
  ['1e400', 'a number is beyond the range of a double'],
  ['-1e999', 'a number is beyond the range of a double'],
  ['1 2', 'expected the end of the text'],
  ['', 'expected a value'],
])('parseExactJson refuses %j', (text, reason) => {
  expect(() => parseExactJson(text)).toThrow(JsonError);
  expect(() => parseExactJson(text)).toThrow(reason);
});

test('parseExactJson reads maxJsonDepth levels and refuses one more', () => {
  const nested = (levels: number): string =>
    '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2);
  expect(stringifyExactJson(parseExactJson(nested(maxJsonDepth)))).toBe(nested(maxJsonDepth));
  expect(() => parseExactJson(nested(maxJsonDepth + 2))).toThrow(
    `at most ${maxJsonDepth} nested values`,
  );
});
