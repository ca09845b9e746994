import { invokeSyscall } from './invoke.ts';
import { SYS_pidfd_getfd } from './syscall-number.ts';

/** A copy of descriptor `fd` of another process, close-on-exec; `pidfd_getfd(2)`, Linux 5.6. The caller closes it. */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return invokeSyscall('pidfd_getfd', { fd: pidfd }, SYS_pidfd_getfd, pidfd, fd, 0);
}
