import { expect, test } from 'vitest';
import { JsonError } from '../errors.ts';
import { rawMembers } from './raw-members.ts';

test('rawMembers slices values out as they stand', () => {
  const text = ' { "a" : [1, 2.50] ,"\\u0062":{"x":"}\\""}, "a":18446744073709551615 }\n';
  expect(rawMembers(text)).toEqual([
    { key: 'a', raw: '[1, 2.50]' },
    { key: 'b', raw: '{"x":"}\\""}' },
    { key: 'a', raw: '18446744073709551615' },
  ]);
});

test('rawMembers gives nothing for an empty object', () => {
  expect(rawMembers(' { } ')).toEqual([]);
});

test.each([
  '',
  '[]',
  '1',
  '{',
  '{"a"}',
  '{"a":}',
  '{"a":1',
  '{"a":1,}',
  '{a:1}',
  '{}{}',
  '{"a":1}x',
])('rawMembers refuses %j', (text) => {
  expect(() => rawMembers(text)).toThrow(JsonError);
});
