import { AF_UNIX, SOCK_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('socket', 'int', ['int', 'int', 'int']);

/** A unix(7) socket of a `SOCK_…` type and flags, close-on-exec; `socket(2)`. The caller closes it. */
export function socket(type: number): number {
  return invoke('socket', undefined, call(), AF_UNIX, type | SOCK_CLOEXEC, 0);
}
