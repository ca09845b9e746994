import { syscallError } from './errors.ts';
import { type FdLike, fdNumber } from './fd-like.ts';
import { EAGAIN } from './libc/errno.ts';
import { tryRead } from './libc/read.ts';

/**
 * Reads what is there from a non-blocking pipe, fifo or terminal into `bytes`; `read(2)`. Returns the count, 0 at end of file,
 * undefined if nothing is there yet: `readiness.wait(fd, 'readable')` then. Throws SyscallError; EIO is the end of a terminal.
 */
export function readNow(fd: FdLike, bytes: Uint8Array): number | undefined {
  const count = tryRead(fdNumber(fd), bytes);
  if (count === -EAGAIN) return undefined;
  if (count < 0) throw syscallError(count, 'read', fdNumber(fd));
  return count;
}
