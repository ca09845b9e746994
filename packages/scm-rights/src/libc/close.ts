import { syscallError } from '../errors.ts';
import { lazyFunction } from './invoke.ts';
import { loadLibc } from './library.ts';

const call = lazyFunction('close', 'int', ['int']);

const EINTR = 4;

/** Closes a descriptor; `close(2)`. Not retried on EINTR: Linux has released the number by then. */
export function close(fd: number): void {
  const libc = loadLibc();
  if (call()(fd) !== -1) return;
  const errno = libc.errno();
  if (errno !== EINTR) throw syscallError(errno, 'close', fd);
}
