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
 * @throws LostPidNamespaceError when this process must not fork any more
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

/**
 * Thrown by a process that can no longer be told where its children are born: any that it forked
 * would be in somebody else's pid namespace. It must fork no more.
 */
export class LostPidNamespaceError extends Error {
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`cannot return from the pid namespace of a child: ${why}`, { cause });
    this.name = 'LostPidNamespaceError';
  }
}

function bornIn(sys: Syscall, pidNamespaceFd: number, fork: () => Fork): Fork {
  const own = open('/proc/self/ns/pid', 0);
  try {
    sys.setns(pidNamespaceFd, CLONE_NEWPID, 'pid');
    let forked: Fork | undefined;
    try {
      forked = fork();
    } finally {
      returnFrom(sys, own, forked);
    }
    return forked;
  } finally {
    close(own);
  }
}

/** @throws LostPidNamespaceError; a child that was born by then gets no config, and ends by itself */
function returnFrom(sys: Syscall, own: number, forked: Fork | undefined): void {
  try {
    sys.setns(own, CLONE_NEWPID, 'pid');
  } catch (error) {
    if (forked !== undefined) close(forked.pidfd);
    throw new LostPidNamespaceError(error);
  }
}
