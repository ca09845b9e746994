import { isSyscallError } from './errors.ts';
import { type FdLike, fdNumber } from './fd-like.ts';
import { FD_CLOEXEC } from './libc/constants.ts';
import { fcntlGetfd } from './libc/fcntl.ts';

/** Whether a program that this process becomes or starts does not get the descriptor; undefined if it is not open. `fcntl(2)` F_GETFD. */
export function isCloseOnExec(fd: FdLike): boolean | undefined {
  try {
    return (fcntlGetfd(fdNumber(fd)) & FD_CLOEXEC) !== 0;
  } catch (error) {
    if (isSyscallError(error, 'EBADF')) return undefined;
    throw error;
  }
}
