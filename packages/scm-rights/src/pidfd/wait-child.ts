import { type FdLike, fdNumber } from '../fd-like.ts';
import { WNOHANG, WNOWAIT } from '../libc/constants.ts';
import { waitid } from '../libc/waitid.ts';
import { decodeWaitStatus, type WaitStatus } from './wait-status.ts';

/**
 * How a child of this process ended, undefined while it runs, leaving it a zombie; `waitid(2)` with WNOWAIT, Linux 5.4.
 *
 * Peek, record what it says, and only then {@link reapChild}: a crash in between loses nothing. Throws SyscallError (ECHILD:
 * no child of this process, or reaped already).
 */
export function peekChild(pidfd: FdLike): WaitStatus | undefined {
  return waitNow(pidfd, WNOHANG | WNOWAIT);
}

/**
 * Reaps a child of this process that has ended and says how, undefined while it runs; `waitid(2)`, Linux 5.4.
 *
 * Not for what `node:child_process` spawned: Node waits for that itself. Throws SyscallError (ECHILD).
 */
export function reapChild(pidfd: FdLike): WaitStatus | undefined {
  return waitNow(pidfd, WNOHANG);
}

function waitNow(pidfd: FdLike, options: number): WaitStatus | undefined {
  const child = waitid(fdNumber(pidfd), options);
  return child === undefined ? undefined : decodeWaitStatus(child.status);
}
