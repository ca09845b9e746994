import { attempt, lazyFunction } from './invoke.ts';

const call = lazyFunction('connect', 'int', ['int', 'void *', 'uint']);

/**
 * Connects to an address, the bytes of a `struct sockaddr_un`; `connect(2)`. Returns 0 or the negative errno: a non-blocking
 * unix socket gets EAGAIN while the listener's queue is full, and nothing tells when it no longer is.
 */
export function tryConnect(fd: number, address: Uint8Array): number {
  return attempt(call(), fd, address, address.length);
}
