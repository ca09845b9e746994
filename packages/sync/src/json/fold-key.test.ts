import { expect, test } from 'vitest';
import { foldKey } from './fold-key.ts';

test.each([
  ['type', 'type'],
  ['TYPE', 'type'],
  ['flag\u017f', 'flags'],
  ['\u212aey', 'key'],
  ['dev\u0131ce', 'dev\u0131ce'],
  ['\u0130d', '\u0130d'],
  ['Ä', 'Ä'],
  ['uid_mappings', 'uid_mappings'],
])('foldKey of %s is %s', (key, folded) => {
  expect(foldKey(key)).toBe(folded);
});
