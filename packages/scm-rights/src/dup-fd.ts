import { type FdLike, fdNumber } from './fd-like.ts';
import { fcntlDupfd } from './libc/fcntl.ts';
import { OwnedFd } from './owned-fd.ts';

/**
 * A copy of a descriptor, close-on-exec: the same open file under a number of its own; `fcntl(2)` F_DUPFD_CLOEXEC. The caller
 * closes it. Throws SyscallError (EMFILE), FdClosedError.
 */
export function dupFd(fd: FdLike, role = 'copy of a descriptor'): OwnedFd {
  return new OwnedFd(fcntlDupfd(fdNumber(fd)), role);
}
