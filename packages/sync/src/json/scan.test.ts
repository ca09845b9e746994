import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { requireEnd } from './raw-members.ts';
import { endOfValue, skipWhitespace } from './scan.ts';

test('endOfValue accepts exactly what JSON.parse accepts', () => {
  const nearJson = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.json({ maxDepth: 4 }),
    fc.stringMatching(/^[-+.eE\d{}[\]":,\\ untrflas]{0,12}$/),
    fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 2 }))
      .map(([json, position, noise]) => {
        const at = position % (json.length + 1);
        return json.slice(0, at) + noise + json.slice(at + 1);
      }),
  );
  fc.assert(
    fc.property(nearJson, (text) => {
      expect(accepts(() => scanWhole(text))).toBe(accepts(() => JSON.parse(text)));
    }),
    { numRuns: 3000 },
  );
}, 60_000);

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function scanWhole(text: string): void {
  requireEnd(text, endOfValue(text, skipWhitespace(text, 0)));
}

test.each([
  ['{"a":[1,{}]}, 2', 12],
  ['"}\\"," x', 6],
  ['-1.5e3]', 6],
  ['nullx', 4],
])('endOfValue stops right behind the value in %s', (text, end) => {
  expect(endOfValue(text, 0)).toBe(end);
});
