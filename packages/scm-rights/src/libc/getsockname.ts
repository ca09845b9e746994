import { invoke, lazyFunction } from './invoke.ts';

const sockname = lazyFunction('getsockname', 'int', ['int', 'void *', 'void *']);
const peername = lazyFunction('getpeername', 'int', ['int', 'void *', 'void *']);

/** Bytes of `struct sockaddr_un` (unix(7)). */
export const SOCKADDR_UN_BYTES = 110;

/** Address of a socket, the bytes of a `struct sockaddr_un`; only the family if it has none; `getsockname(2)`. */
export function getsockname(fd: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_UN_BYTES);
  const length = new Uint32Array([bytes.length]);
  invoke('getsockname', fd, sockname(), fd, bytes, length);
  return bytes.subarray(0, length[0]);
}

/** Address of the peer of a connected socket; `getpeername(2)`. ENOTCONN if there is none. */
export function getpeername(fd: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_UN_BYTES);
  const length = new Uint32Array([bytes.length]);
  invoke('getpeername', fd, peername(), fd, bytes, length);
  return bytes.subarray(0, length[0]);
}
