import { SPLICE_F_NONBLOCK } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';

const call = lazyFunction('tee', 'long', ['int', 'int', 'size_t', 'uint']);

/**
 * Copies up to `length` bytes from one pipe into another, and leaves them in the first; `tee(2)`, never blocking.
 *
 * Returns how many, 0 at end of file, which is what a pipe without writers is at, or the negative errno: EAGAIN if nothing is
 * there yet, or no room.
 */
export function tryTee(from: number, to: number, length: number): number {
  return attempt(call(), from, to, length, SPLICE_F_NONBLOCK);
}
