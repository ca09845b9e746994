import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FdLike,
  isSyscallError,
  pidfdInode,
  pidfdSendSignal,
  waitPidfd,
} from '@pilotlight/scm-rights';

const POLL_MS = 20;

/**
 * Resolves when the process has been waited for by its parent, which is when its status can be read.
 *
 * Rejects with the signal's reason, FdClosedError, SyscallError.
 */
export async function waitReaped(pidfd: FdLike, signal?: AbortSignal): Promise<void> {
  if (pidfdInode(pidfd) !== undefined) {
    await waitPidfd(pidfd, { until: 'reaped', signal });
    return;
  }
  await waitReapedByAsking(pidfd, signal);
}

/** For Linux before 6.9, which reports the end by poll(2), but not the reaping: from the end on it asks again and again. */
export async function waitReapedByAsking(pidfd: FdLike, signal?: AbortSignal): Promise<void> {
  await waitPidfd(pidfd, { until: 'exited', signal });
  while (!isReaped(pidfd)) {
    await sleep(POLL_MS);
    signal?.throwIfAborted();
  }
}

/** Whether the kernel has forgotten the process but for its status. Throws SyscallError. */
export function isReaped(pidfd: FdLike): boolean {
  try {
    pidfdSendSignal(pidfd, 0);
    return false;
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return true;
    // Not ours to signal, hence there.
    if (isSyscallError(error, 'EPERM')) return false;
    throw error;
  }
}
