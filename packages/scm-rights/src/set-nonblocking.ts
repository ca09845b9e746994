import { type FdLike, fdNumber } from './fd-like.ts';
import { O_NONBLOCK } from './libc/constants.ts';
import { fcntlGetfl, fcntlSetfl } from './libc/fcntl.ts';

/**
 * Sets or clears O_NONBLOCK, for everybody who shares the open file: clear it before a program gets it that was written to
 * block. Throws SyscallError.
 */
export function setNonblocking(fd: FdLike, nonblocking: boolean): void {
  const number = fdNumber(fd);
  const flags = fcntlGetfl(number);
  fcntlSetfl(number, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}
