import { readdirSync, readFileSync } from 'node:fs';
import {
  isSyscallError,
  type OwnedFd,
  peekChild,
  pidfdOpen,
  pidfdSendSignal,
  reapChild,
  waitPidfd,
} from '@pilotlight/scm-rights';

const DEADLINE_MS = 2000;

/** The pids of the children of this process; proc_pid_task(5). Empty where the kernel does not tell. */
export function childPids(): number[] {
  try {
    return readdirSync('/proc/self/task').flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

/**
 * Kills and reaps the children of this process that are not among `spared`, and the orphans that come to it by that. Only
 * for a subreaper that does nothing else. What does not end within two seconds is left, killed.
 */
export async function killChildren(spared: readonly number[]): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const tried = new Set(spared);
  for (;;) {
    const pids = childPids().filter((pid) => !tried.has(pid));
    if (pids.length === 0) return;
    for (const pid of pids) {
      tried.add(pid);
      await killChild(pid, deadline);
    }
  }
}

async function killChild(pid: number, deadline: AbortSignal): Promise<void> {
  try {
    using pidfd: OwnedFd = pidfdOpen(pid);
    // Refused with ECHILD unless it is a child of ours: then its pid cannot have become another's.
    peekChild(pidfd);
    pidfdSendSignal(pidfd, 'SIGKILL');
    await waitPidfd(pidfd, { signal: deadline });
    reapChild(pidfd);
  } catch (error) {
    const gone = isSyscallError(error, 'ESRCH') || isSyscallError(error, 'ECHILD');
    if (!gone && error !== deadline.reason) throw error;
  }
}
