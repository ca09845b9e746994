import { sendmsg } from '@pilotlight/scm-rights/libc';
import type { ChildFds } from '../child/child-fds.ts';
import { FAILED_CHILD_EXIT, runChild } from '../child/run-child.ts';
import { attempting, describeFailure, type FailureReport } from '../child/step-failure.ts';
import { CLOSE_RANGE_CLOEXEC } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

const CLONE_FS = 0x200;

/** What a second Node is told on its command line; it holds nothing of the configuration. */
export type SpawnedChild = {
  /** Namespaces to make; that of pids is made already. */
  unshareFlags: number;
  fds: ChildFds;
  /** Seqpacket socket, above all other descriptors given: takes one report, that it has started or why not. */
  report: number;
};

export type SpawnedReport = { started: true } | { failure: FailureReport };

/**
 * The life of a child that is a Node process of its own, from its first line to its program.
 *
 * All that it changes counts for this thread, the first one; execve(2) ends the others, and the
 * process goes on as this one.
 */
export function becomeChild(sys: Syscall, { unshareFlags, report, fds }: SpawnedChild): never {
  const say = (said: SpawnedReport): void => {
    sendmsg(report, Buffer.from(JSON.stringify(said)));
  };
  try {
    // Before anybody else can come into its namespaces.
    sys.setDumpable(false);
    attempting('make namespaces', { hint: namespaceHint }, () =>
      // With threads a mount namespace can only be joined by who has a root and a working directory
      // of its own.
      sys.unshare(unshareFlags | CLONE_FS),
    );
    say({ started: true });
  } catch (error) {
    try {
      say({ failure: describeFailure('namespaces', error) });
    } catch {
      // The spawning process is gone; nobody is left to tell.
    }
    return sys.exit(FAILED_CHILD_EXIT);
  }
  sys.close(report);
  return runChild(withThreads(sys, report), fds);
}

/**
 * Node's threads live on until execve(2), and abort the process when a descriptor of their own is
 * gone. So only what was given to this process, and copies of that, are closed where a child closes
 * all; the rest is close-on-exec.
 *
 * @param given all numbers below it are of descriptors given, or of what has taken their place
 */
function withThreads(sys: Syscall, given: number): Syscall {
  let copies: number[] = [];
  return {
    ...sys,
    dupAbove(fd, least) {
      const copy = sys.dupAbove(fd, least);
      copies.push(copy);
      return copy;
    },
    closeRange(first, flags) {
      if ((flags & CLOSE_RANGE_CLOEXEC) === 0) {
        for (let fd = first; fd < given; fd++) sys.close(fd);
        for (const copy of copies) sys.close(copy);
        copies = [];
      }
      sys.closeRange(first, flags | CLOSE_RANGE_CLOEXEC);
    },
  };
}

function namespaceHint(): string {
  return 'Making namespaces needs CAP_SYS_ADMIN: launch as root. Inside an outer container its profile must allow unshare(2) too.';
}
