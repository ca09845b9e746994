import { AF_UNIX, SOCK_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('socketpair', 'int', ['int', 'int', 'int', 'void *']);

/** Two connected unix(7) sockets of a `SOCK_…` type, close-on-exec; `socketpair(2)`. The caller closes both. */
export function socketpair(type: number): [number, number] {
  const pair = new Int32Array(2);
  invoke('socketpair', undefined, call(), AF_UNIX, type | SOCK_CLOEXEC, 0, pair);
  return [pair[0]!, pair[1]!];
}
