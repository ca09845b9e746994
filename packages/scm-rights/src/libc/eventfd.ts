import { EFD_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';
import { read } from './read.ts';
import { write } from './write.ts';

const call = lazyFunction('eventfd', 'int', ['uint', 'int']);

/** A counter that is a descriptor, close-on-exec, with more EFD_… `flags`; `eventfd(2)`. The caller closes it. */
export function eventfd(initial = 0, flags = 0): number {
  return invoke('eventfd', undefined, call(), initial, flags | EFD_CLOEXEC);
}

/** Adds 1, which makes it readable. */
export function eventfdWrite(fd: number): void {
  write(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
}

/** Takes the count and resets it to 0. Blocks or fails with EAGAIN at 0. */
export function eventfdRead(fd: number): bigint {
  const value = new BigUint64Array(1);
  read(fd, new Uint8Array(value.buffer));
  return value[0]!;
}
