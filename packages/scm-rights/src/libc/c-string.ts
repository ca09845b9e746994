import { InvalidStringError } from '../errors.ts';

/**
 * Returns `value` if the kernel would see it exactly as written.
 *
 * A NUL would end it early, a lone surrogate would become another character: InvalidStringError.
 */
export function cString(value: string, what = 'path'): string {
  if (value.includes('\0')) throw new InvalidStringError(what, value, 'contains a NUL byte');
  if (!value.isWellFormed()) throw new InvalidStringError(what, value, 'is not well-formed UTF-16');
  return value;
}

/** The bytes of {@link cString} with the closing NUL, for calls that want memory. */
export function cStringBytes(value: string, what = 'path'): Buffer {
  return Buffer.from(`${cString(value, what)}\0`);
}
