import { expect, test } from 'vitest';
import { excerpt } from './excerpt.ts';

test('excerpt quotes text and escapes control characters', () => {
  expect(excerpt('a\u001b[31m"\n')).toBe('"a\\u001b[31m\\"\\n"');
});

test('excerpt cuts long text and names its length', () => {
  expect(excerpt('x'.repeat(500), 3)).toBe('"xxx"… (500 characters)');
});
