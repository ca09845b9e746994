import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);

/** One operation of `prctl(2)` on this thread, with integer operands or addresses; missing ones are 0. */
export function prctl(
  operation: number,
  a: number | bigint = 0,
  b: number | bigint = 0,
  c: number | bigint = 0,
  d: number | bigint = 0,
): number {
  return invoke('prctl', `operation ${operation}`, call(), operation, a, b, c, d);
}
