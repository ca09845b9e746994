import { expect, test } from 'vitest';
import { parseStartTicks, readStartTicks } from './start-ticks.ts';

const tail = 'S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654321012345678 0 0';

test.each(['sh', 'a b', ') S 1 2 3', '((', 'a)\n(b'])(
  'parseStartTicks finds field 22 behind the name (%s)',
  (name) => {
    expect(parseStartTicks(`42 (${name}) ${tail}`)).toBe(987654321012345678n);
  },
);

test('parseStartTicks has none for a text that is cut', () => {
  expect(parseStartTicks('42 (sh) S 1 2')).toBeUndefined();
  expect(parseStartTicks('')).toBeUndefined();
});

test('readStartTicks reads this process, and has none for a pid that cannot be', () => {
  expect(readStartTicks(process.pid)).toBeGreaterThan(0n);
  expect(readStartTicks(4_194_304)).toBeUndefined();
});
