import { invokeSyscall } from './invoke.ts';
import { SYS_pidfd_send_signal } from './syscall-number.ts';

/** Sends a signal to exactly the pidfd's process; `pidfd_send_signal(2)`, Linux 5.1. Signal 0 only checks. ESRCH once reaped. */
export function pidfdSendSignal(pidfd: number, signal: number, flags = 0): void {
  invokeSyscall('pidfd_send_signal', pidfd, SYS_pidfd_send_signal, pidfd, signal, 0, flags);
}
