import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNumberList, numberMask, parseNumberList } from './number-list.ts';

const bitsOf = (mask: Uint8Array): number[] =>
  [...mask].flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => index * 8 + bit),
  );

describe('isNumberList', () => {
  it.each(['', '0', '0-3,7', '7,0-3', ' 1 ', '0-0', '1023'])('isNumberList takes %j', (text) => {
    expect(isNumberList(text, 1023)).toBe(true);
  });

  it.each([
    'a',
    '-1',
    '1-',
    '1,',
    ',1',
    '3-1',
    '1024',
    '0-1024',
    '1-2-3',
    '1 2',
    '0x1',
    '1.5',
    '1\n2',
  ])('isNumberList refuses %j', (text) => {
    expect(isNumberList(text, 1023)).toBe(false);
  });
});

describe('numberMask', () => {
  it('numberMask has a bit for each number of a list, and no other', () => {
    const range = fc
      .tuple(fc.nat(511), fc.nat(511))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 8 }), (ranges) => {
        const text = ranges.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(',');
        expect(isNumberList(text, 511)).toBe(true);
        const expected = new Set<number>();
        for (const [a, b] of ranges) for (let n = a; n <= b; n++) expected.add(n);
        expect(bitsOf(numberMask(parseNumberList(text), 64))).toEqual(
          [...expected].toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it('numberMask of nothing is empty', () => {
    expect(bitsOf(numberMask(parseNumberList(''), 8))).toEqual([]);
  });
});
