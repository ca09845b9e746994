import { loadLibc, waitid, WNOHANG, WNOWAIT } from '@pilotlight/scm-rights/libc';
import type { ChildFds } from '../child/child-fds.ts';
import { resetCpuAffinity } from '../child/cpu-affinity.ts';
import { runChild } from '../child/run-child.ts';
import { createForker, type Fork } from './forker.ts';
import { createLinuxSyscall } from '../syscall/linux.ts';

export type { ChildFds } from '../child/child-fds.ts';

export type ForkingProcess = {
  fork(request: { cloneFlags: number; cgroupFd?: number; fds: ChildFds }): Fork;
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
  return {
    fork: ({ fds, ...options }) => forker.fork({ ...options, child: () => runChild(sys, fds) }),
    peek(pidfd) {
      const ended = waitid(pidfd, WNOHANG | WNOWAIT);
      if (ended === undefined) throw new Error('the child has not ended');
      return ended.status;
    },
    reap: (pidfd) => void waitid(pidfd, WNOHANG),
  };
}
