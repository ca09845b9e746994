import { type FdLike, isSyscallError, pidfdSendSignal } from '@pilotlight/scm-rights';

/** Sends a signal; a process that has ended and was reaped is no error. @throws SyscallError */
export function signalProcess(pidfd: FdLike, signal: NodeJS.Signals | number): void {
  try {
    pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}
