import { type FdLike, fdNumber } from '../fd-like.ts';
import { pidfdGetfd as pidfdGetfdOf } from '../libc/pidfd-getfd.ts';
import { OwnedFd } from '../owned-fd.ts';

/**
 * A copy of descriptor number `fd` of another process, close-on-exec; `pidfd_getfd(2)`, Linux 5.6. The caller closes it.
 *
 * It is the same open file: offset, flags and locks are shared. Throws SyscallError (EBADF: it has no such descriptor, EPERM:
 * we may not trace it, ESRCH: it has ended), InvalidFdError.
 */
export function pidfdGetfd(pidfd: FdLike, fd: number): OwnedFd {
  const copy = pidfdGetfdOf(fdNumber(pidfd), fdNumber(fd));
  return new OwnedFd(copy, `copy of descriptor ${fd} of another process`);
}
