import { expect, test } from 'vitest';
import { JsonError } from '../errors.ts';
import type { JsonValue } from './json-value.ts';
import { stringifyExactJson } from './stringify.ts';

const written: readonly [value: JsonValue, text: string][] = [
  ['<a href="x">&</a>', '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u003c/a\\u003e"'],
  ['\u2028\u2029', '"\\u2028\\u2029"'],
  ['ä🚀\u007f', '"ä🚀\u007f"'],
  ['\b\f\n\r\t\u0001', '"\\b\\f\\n\\r\\t\\u0001"'],
  ['a\ud800b\udc00', '"a\\ufffdb\\ufffd"'],
  ['\ufffd', '"\ufffd"'],
  ['\\ud800', '"\\\\ud800"'],
  ['\\<', '"\\\\\\u003c"'],
  [18446744073709551615n, '18446744073709551615'],
  [-1n, '-1'],
  [-0, '-0'],
  [1e21, '1e+21'],
  [1e-7, '1e-7'],
  [[1, [2], {}], '[1,[2],{}]'],
  [{ b: 1, a: undefined, c: null }, '{"b":1,"c":null}'],
  [{ '<': '>' }, '{"\\u003c":"\\u003e"}'],
  [Object.fromEntries([['__proto__', 1]]), '{"__proto__":1}'],
  [Object.create(null) as JsonValue, '{}'],
];

test.each(written.map(([value, text]) => ({ value, text })))(
  'stringifyExactJson writes $text as Go does',
  ({ value, text }) => {
    expect(stringifyExactJson(value)).toBe(text);
  },
);

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['infinity', [Infinity]],
  ['undefined in an array', [undefined]],
  ['a hole in an array', Array(1)],
  ['a function', { f: () => 1 }],
  ['a symbol', Symbol('s')],
  ['a date', new Date(0)],
  ['a map', { m: new Map() }],
  ['a cycle', cycle],
])('stringifyExactJson refuses %s', (_what, value) => {
  expect(() => stringifyExactJson(value as JsonValue)).toThrow(JsonError);
});
