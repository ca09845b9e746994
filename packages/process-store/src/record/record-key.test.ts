import { expect, test } from 'vitest';
import { isStoreError } from '../errors.ts';
import { formatRecordKey, parseRecordKey } from './record-key.ts';

test('parseRecordKey tells a container from a process executed in it', () => {
  expect(parseRecordKey('box')).toEqual({ container: 'box', exec: undefined });
  expect(parseRecordKey('box/e1')).toEqual({ container: 'box', exec: 'e1' });
});

test.each(['box', 'box/e1', 'a.b+c-d_e/F.0'])(
  'formatRecordKey undoes parseRecordKey for %s',
  (key) => {
    expect(formatRecordKey(parseRecordKey(key))).toBe(key);
  },
);

test.each(['', '/', 'box/', '/e1', 'box/e1/x', 'box/..', '../box', 'box//e1', 7, undefined])(
  'parseRecordKey refuses %j',
  (key) => {
    let refused: unknown;
    try {
      parseRecordKey(key);
    } catch (error) {
      refused = error;
    }
    expect(isStoreError(refused, 'ERR_STORE_INVALID_ID')).toBe(true);
  },
);
