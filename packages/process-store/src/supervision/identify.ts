import { isSyscallError, type OwnedFd, pidfdInode, pidfdOpen } from '@pilotlight/scm-rights';
import type { ProcRecord } from '../record/proc-record.ts';
import { readStartTicks } from './start-ticks.ts';
import { isReaped } from './wait-reaped.ts';

/** Whether the pid of a record is still its process; the caller closes the pidfd. */
export type Identified = { kind: 'same'; pidfd: OwnedFd } | { kind: 'gone' } | { kind: 'reused' };

/**
 * Opens the process of a record by its pid, and proves that it is that process and not a later one.
 *
 * The pidfd comes first: what is read of the pid afterwards belongs to it if it is not reaped by then, because no pid is
 * given away before. For records of this boot and this pid namespace. Throws SyscallError.
 */
export function identify(proc: Pick<ProcRecord, 'pid' | 'startTicks' | 'pidfsIno'>): Identified {
  let pidfd: OwnedFd;
  try {
    pidfd = pidfdOpen(proc.pid);
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return { kind: 'gone' };
    // The number is a thread now, so our process, which was no thread, is gone (ENOENT since Linux 6.15).
    if (isSyscallError(error, 'EINVAL') || isSyscallError(error, 'ENOENT'))
      return { kind: 'reused' };
    throw error;
  }
  let kind: Identified['kind'];
  try {
    kind = compare(pidfd, proc);
  } catch (error) {
    pidfd.close();
    throw error;
  }
  if (kind === 'same') return { kind, pidfd };
  pidfd.close();
  return { kind };
}

function compare(
  pidfd: OwnedFd,
  proc: Pick<ProcRecord, 'pid' | 'startTicks' | 'pidfsIno'>,
): Identified['kind'] {
  const inode = pidfdInode(pidfd);
  // The inode is never reused within a boot and belongs to the pidfd itself: nothing else needs to be asked.
  if (inode !== undefined && proc.pidfsIno !== null) {
    return inode === proc.pidfsIno ? 'same' : 'reused';
  }
  const ticks = readStartTicks(proc.pid);
  if (isReaped(pidfd)) return 'gone';
  return ticks === proc.startTicks ? 'same' : 'reused';
}
