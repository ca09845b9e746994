import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('write', 'long', ['int', 'void *', 'size_t']);

/** Writes once; returns how many bytes were taken, which may be fewer than given; `write(2)`. */
export function write(fd: number, bytes: Uint8Array): number {
  return invoke('write', fd, call(), fd, bytes, bytes.length);
}
