import { expect, test } from 'vitest';
import { isJsonObject, nameMembers } from './member-names.ts';

test('nameMembers gives known members their name, the last spelling counting', () => {
  expect(nameMembers({ Source: 'a', SOURCE: 'b', other: 1 }, ['source'])).toEqual({
    source: 'b',
    other: 1,
  });
});

test('nameMembers leaves a member as it was when null follows', () => {
  expect(nameMembers({ source: 'a', Source: null, x: null }, ['source'])).toEqual({
    source: 'a',
    x: null,
  });
});

test('nameMembers keeps __proto__ as an ordinary member', () => {
  const named = nameMembers(Object.fromEntries([['__proto__', { a: 1 }]]), ['source']);
  expect(Object.entries(named)).toEqual([['__proto__', { a: 1 }]]);
});

test.each([null, [], 1, 'x', undefined])('isJsonObject refuses %j', (value) => {
  expect(isJsonObject(value)).toBe(false);
});
