import { expect, test } from 'vitest';
import { agreeFileFlag, hasFileFlag, syncFlags } from './sync-flags.ts';
import type { SyncMessage } from './sync-message.ts';

const message: SyncMessage = { type: 'procRun', flags: 6 };

test('agreeFileFlag sets and clears bit 0 and leaves the others alone', () => {
  expect(syncFlags.file).toBe(1);
  expect(agreeFileFlag(message, true)).toEqual({ type: 'procRun', flags: 7 });
  expect(agreeFileFlag({ ...message, flags: 7 }, false)).toEqual(message);
});

test('agreeFileFlag does not touch the message it is given', () => {
  agreeFileFlag(message, true);
  expect(message.flags).toBe(6);
});

test.each([
  [0, false],
  [1, true],
  [6, false],
  [7, true],
])('hasFileFlag of %d is %s', (flags, expected) => {
  expect(hasFileFlag(flags)).toBe(expected);
});
