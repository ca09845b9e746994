import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('read', 'long', ['int', 'void *', 'size_t']);

/** Reads into `bytes`; returns the count, 0 at end of file; `read(2)`. Drops descriptors that a socket would carry. */
export function read(fd: number, bytes: Uint8Array): number {
  return invoke('read', fd, call(), fd, bytes, bytes.length);
}
