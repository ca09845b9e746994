import { invokeSyscall } from './invoke.ts';
import { SYS_pidfd_open } from './syscall-number.ts';

/** A pidfd of the process `pid`, always close-on-exec; `pidfd_open(2)`, Linux 5.3. The caller closes it. ESRCH once reaped. */
export function pidfdOpen(pid: number, flags = 0): number {
  return invokeSyscall('pidfd_open', { pid }, SYS_pidfd_open, pid, flags);
}
