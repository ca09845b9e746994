import { syscallError } from '../errors.ts';
import { LOCK_NB } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';

const call = lazyFunction('flock', 'int', ['int', 'int']);

const EAGAIN = -11;

/** Takes LOCK_SH, LOCK_EX or LOCK_UN without waiting; `flock(2)`. False if another open file holds it. */
export function tryFlock(fd: number, operation: number): boolean {
  const result = attempt(call(), fd, operation | LOCK_NB);
  if (result === EAGAIN) return false;
  if (result < 0) throw syscallError(result, 'flock', fd);
  return true;
}
