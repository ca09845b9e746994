import { attempt, invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('read', 'long', ['int', 'void *', 'size_t']);

/** Reads into `bytes`; returns the count, 0 at end of file; `read(2)`. Drops descriptors that a socket would carry. */
export function read(fd: number, bytes: Uint8Array): number {
  return invoke('read', fd, call(), fd, bytes, bytes.length);
}

/** {@link read} that returns the negative errno instead of throwing it. */
export function tryRead(fd: number, bytes: Uint8Array): number {
  return attempt(call(), fd, bytes, bytes.length);
}
