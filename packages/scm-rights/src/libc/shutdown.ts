import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('shutdown', 'int', ['int', 'int']);

/** Ends one direction of a socket: SHUT_RD, SHUT_WR or SHUT_RDWR; `shutdown(2)`. */
export function shutdown(fd: number, how: number): void {
  invoke('shutdown', fd, call(), fd, how);
}
