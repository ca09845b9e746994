import { type FdLike, fdNumber } from '../fd-like.ts';
import { POLLHUP, POLLIN } from '../libc/constants.ts';
import { poll } from '../libc/poll.ts';
import { type Readiness, readiness as sharedReadiness } from '../readiness/readiness.ts';

/** `exited`: all threads are dead, a zombie is left. `reaped`: its parent has waited for it, its status is readable. */
export type PidfdState = 'running' | 'exited' | 'reaped';

/** Where the process is in its life, at once; poll(2) on a pidfd, `reaped` since Linux 6.9. */
export function pidfdState(pidfd: FdLike): PidfdState {
  const events = poll(fdNumber(pidfd), POLLIN, 0);
  if ((events & POLLHUP) !== 0) return 'reaped';
  return (events & POLLIN) !== 0 ? 'exited' : 'running';
}

/**
 * Resolves when the process is dead (`until: 'exited'`, the default) or reaped, and says which of the two it found.
 *
 * For somebody else's child wait until it is reaped: only then `pidfdInfo` has the status. Rejects with the signal's
 * reason, FdClosedError, SyscallError.
 */
export async function waitPidfd(
  pidfd: FdLike,
  options: {
    signal?: AbortSignal | undefined;
    until?: 'exited' | 'reaped';
    readiness?: Readiness;
  } = {},
): Promise<'exited' | 'reaped'> {
  const { signal, until = 'exited', readiness = sharedReadiness } = options;
  const kind = until === 'reaped' ? 'hangup' : 'readable';
  const events = await readiness.wait(pidfd, kind, { signal });
  return events.hangup ? 'reaped' : 'exited';
}
