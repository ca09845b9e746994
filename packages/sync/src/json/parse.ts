import { JsonError } from '../errors.ts';
import type { JsonValue } from './json-value.ts';
import { requireEnd } from './raw-members.ts';
import { endOfValue, skipWhitespace } from './scan.ts';

/**
 * Reads one JSON value without rounding integers: an integer literal beyond 2^53 - 1 in either
 * direction becomes a `bigint`, every other number a `number`.
 *
 * Of repeated keys the last one counts. `__proto__` becomes an ordinary own member.
 * Throws JsonError when the text is not exactly one value, nests deeper than `maxJsonDepth`, or
 * holds a number no double can hold.
 */
export function parseExactJson(text: string): JsonValue {
  // The scanner runs first: it bounds the depth before the recursive reviver sees the text.
  requireEnd(text, endOfValue(text, skipWhitespace(text, 0)));
  return JSON.parse(text, restoreInteger as (key: string, value: unknown) => unknown) as JsonValue;
}

function restoreInteger(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context.source;
  if (source !== undefined && /^-?\d+$/.test(source)) return BigInt(source);
  if (Number.isFinite(value)) return value;
  throw new JsonError(
    'read JSON: a number is beyond the range of a double',
    'Write the number as an integer without exponent, or as text.',
  );
}
