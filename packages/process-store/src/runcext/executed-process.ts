import {
  isSyscallError,
  type OwnedFd,
  pidfdInfo,
  pidfdSendSignal,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import { waitReaped } from '../supervision/wait-reaped.ts';

/** A process that a wrapper executed. It holds a pidfd until it is disposed of, which leaves the process alone. */
export class ExecutedProcess implements Disposable {
  /** As this process counts. It may be another's once the process has ended. */
  readonly pid: number;
  /** Owned by this object. */
  readonly pidfd: OwnedFd;
  /** How it had ended before the wrapper let it go; undefined if it was running then. */
  readonly exit: WaitStatus | undefined;

  constructor(pid: number, pidfd: OwnedFd, exit: WaitStatus | undefined) {
    this.pid = pid;
    this.pidfd = pidfd;
    this.exit = exit;
  }

  /**
   * How it ended, once it has and its parent, which is the subreaper above the wrapper or process 1, has reaped it.
   *
   * Before Linux 6.15 only that parent is told; then, unless `exit` has it, the answer is `'unknown'`, never a guess.
   * Rejects with the signal's reason, FdClosedError, SyscallError.
   */
  async wait(options: { signal?: AbortSignal } = {}): Promise<WaitStatus | 'unknown'> {
    if (this.exit !== undefined) return this.exit;
    await waitReaped(this.pidfd, options.signal);
    try {
      return pidfdInfo(this.pidfd).exit ?? 'unknown';
    } catch (error) {
      if (isSyscallError(error)) return 'unknown';
      throw error;
    }
  }

  /** Sends a signal, by name or number. Throws SyscallError: ESRCH once it is reaped. */
  signal(signal: string | number): void {
    pidfdSendSignal(this.pidfd, signal);
  }

  [Symbol.dispose](): void {
    this.pidfd.close();
  }
}
