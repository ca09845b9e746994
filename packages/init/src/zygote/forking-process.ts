import { loadLibc, waitid, WNOHANG, WNOWAIT } from '@pilotlight/scm-rights/libc';
import { resetCpuAffinity } from '../child/cpu-affinity.ts';
import { createLinuxSyscall } from '../syscall/linux.ts';
import { type Entry, type EntryRequest, startEntry, takeEntryReport } from './entry.ts';
import { type ChildToFork, forkChild, LostPidNamespaceError, withDumpable } from './fork-child.ts';
import { createForker, type Fork } from './forker.ts';
import { wakeEventLoop } from './wake-event-loop.ts';

export type { ChildFds } from '../child/child-fds.ts';
export { EntryFailure } from './entry.ts';
export type { Fork } from './forker.ts';

export type ForkingProcess = {
  fork(request: ChildToFork): Fork;
  /** See startEntry; the report can be taken once its descriptor is readable. */
  startEntry(request: EntryRequest & { undumpable: boolean }): Entry;
  /** @throws EntryFailure */
  takeEntryReport(entry: Entry): Fork;
  /** Raw wait status of a child that has ended; it stays a zombie. */
  peek(pidfd: number): number;
  reap(pidfd: number): void;
};

/** Makes this process able to fork children of ours; see createForker for when it may. */
export function forkingProcess(): ForkingProcess {
  const libc = loadLibc();
  const sys = createLinuxSyscall(libc);
  resetCpuAffinity(sys);
  const forker = createForker(libc);
  let lost: LostPidNamespaceError | undefined;
  const begin = (): void => {
    if (lost !== undefined) throw lost;
    wakeEventLoop();
  };
  return {
    fork(request) {
      begin();
      try {
        return forkChild(sys, forker, request);
      } catch (error) {
        if (error instanceof LostPidNamespaceError) lost = error;
        throw error;
      }
    },
    startEntry({ undumpable, ...request }) {
      begin();
      return withDumpable(sys, !undumpable, () => startEntry(sys, forker, request));
    },
    takeEntryReport,
    peek(pidfd) {
      const ended = waitid(pidfd, WNOHANG | WNOWAIT);
      if (ended === undefined) throw new Error('the child has not ended');
      return ended.status;
    },
    reap: (pidfd) => void waitid(pidfd, WNOHANG),
  };
}
