import { type FdLike, fdNumber } from '../fd-like.ts';
import { pidfdSendSignal as send } from '../libc/pidfd-send-signal.ts';
import { signalNumber } from './signal.ts';

/**
 * Sends a signal, by number or name, to exactly this process; `pidfd_send_signal(2)`, Linux 5.1. 0 only checks.
 *
 * Succeeds on a zombie. Throws SyscallError (ESRCH once reaped, EPERM), InvalidArgumentError.
 */
export function pidfdSendSignal(pidfd: FdLike, signal: number | string): void {
  send(fdNumber(pidfd), signal === 0 ? 0 : signalNumber(signal));
}
