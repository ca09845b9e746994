import { close, open } from '@pilotlight/scm-rights/libc';
import type { ChildFds } from '../child/child-fds.ts';
import { runChild } from '../child/run-child.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import type { Syscall } from '../syscall/syscall.ts';
import type { Fork, Forker } from './forker.ts';

export type ChildToFork = {
  cloneFlags: number;
  cgroupFd: number | undefined;
  /** A pid namespace, or a pidfd of a process in it. */
  pidNamespaceFd: number | undefined;
  undumpable: boolean;
  child: ChildFds;
};

/**
 * Forks a child that goes on by itself.
 *
 * A pid namespace is joined here and left again: setns(2) only changes where the next child is
 * born, so that no process in between is needed.
 *
 * @throws SyscallError
 */
export function forkChild(sys: Syscall, forker: Forker, request: ChildToFork): Fork {
  const { cloneFlags, cgroupFd, pidNamespaceFd, child } = request;
  const fork = (): Fork =>
    forker.fork({
      cloneFlags,
      ...(cgroupFd === undefined ? {} : { cgroupFd }),
      child: () => runChild(sys, child),
    });
  return withDumpable(sys, !request.undumpable, () =>
    pidNamespaceFd === undefined ? fork() : bornIn(sys, pidNamespaceFd, fork),
  );
}

/** A child is born as open to ptrace(2) as its parent is: where others can reach it at once, not at all. */
export function withDumpable<T>(sys: Syscall, dumpable: boolean, fork: () => T): T {
  // Root's zygote never is.
  if (dumpable || !sys.isDumpable()) return fork();
  sys.setDumpable(false);
  try {
    return fork();
  } finally {
    sys.setDumpable(true);
  }
}

function bornIn(sys: Syscall, pidNamespaceFd: number, fork: () => Fork): Fork {
  const own = open('/proc/self/ns/pid', 0);
  try {
    sys.setns(pidNamespaceFd, CLONE_NEWPID, 'pid');
    try {
      return fork();
    } finally {
      sys.setns(own, CLONE_NEWPID, 'pid');
    }
  } finally {
    close(own);
  }
}
