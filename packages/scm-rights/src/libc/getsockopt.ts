import { SO_TYPE, SOL_SOCKET } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);

/** The `SOCK_…` type of a socket; `getsockopt(2)`. ENOTSOCK for anything else. */
export function socketType(fd: number): number {
  const value = new Int32Array(1);
  invoke('getsockopt', fd, call(), fd, SOL_SOCKET, SO_TYPE, value, new Uint32Array([4]));
  return value[0]!;
}
