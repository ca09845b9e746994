import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidIdError } from '../errors.ts';
import { generateRecordId, parseRecordId } from './record-id.ts';

test('parseRecordId accepts what runc accepts', () => {
  for (const id of ['a', 'A-b_c+d.9', '...', '-x', 'a'.repeat(255)]) {
    expect(parseRecordId(id)).toBe(id);
  }
});

test.each(['', '.', '..', 'a/b', 'ä', 'a b', 'a\n', 'a\0', 'a'.repeat(256), 7, undefined])(
  'parseRecordId refuses %j',
  (id) => {
    expect(() => parseRecordId(id)).toThrow(InvalidIdError);
  },
);

test('parseRecordId accepts nothing that leaves the folder of the records', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\w.+/-]*$/)),
      (text) => {
        const allowed = /^[A-Za-z0-9_+.-]{1,255}$/.test(text) && text !== '.' && text !== '..';
        expect(isAccepted(text)).toBe(allowed);
      },
    ),
  );
});

function isAccepted(text: string): boolean {
  try {
    return parseRecordId(text) === text;
  } catch (error) {
    if (error instanceof InvalidIdError) return false;
    throw error;
  }
}

test('generateRecordId makes valid ids, each time another', () => {
  const ids = Array.from({ length: 100 }, generateRecordId);
  expect(new Set(ids.map(parseRecordId)).size).toBe(100);
});
