import type { ChildFds } from '../child/child-fds.ts';
import { FAILED_CHILD_EXIT, runChild } from '../child/run-child.ts';
import { attempting, describeFailure } from '../child/step-failure.ts';
import { sayError } from '../child/sync-peer.ts';
import { CLOSE_RANGE_CLOEXEC } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

const CLONE_FS = 0x200;

/** What a second Node is told on its command line; it holds nothing of the configuration. */
export type SpawnedChild = {
  /** Namespaces to make; that of pids is made already. */
  unshareFlags: number;
  fds: ChildFds;
};

/**
 * The life of a child that is a Node process of its own, from its first line to its program.
 *
 * All that it changes counts for this thread, the first one; execve(2) ends the others, and the
 * process goes on as this one.
 */
export function becomeChild(sys: Syscall, { unshareFlags, fds }: SpawnedChild): never {
  try {
    // Before anybody else can come into its namespaces.
    sys.setDumpable(false);
    attempting('make namespaces', { hint: namespaceHint }, () =>
      // With threads a mount namespace can only be joined by who has a root and a working directory
      // of its own.
      sys.unshare(unshareFlags | CLONE_FS),
    );
  } catch (error) {
    try {
      sayError(sys, fds.sync, describeFailure('namespaces', error));
    } catch {
      // The parent is gone; nobody is left to tell.
    }
    return sys.exit(FAILED_CHILD_EXIT);
  }
  return runChild(withThreads(sys), fds);
}

/**
 * Node's threads live on until execve(2), and abort the process when one of their own descriptors
 * is gone. What is close-on-exec instead is just as far from the program; and nothing of anybody
 * else is among them, since this process was started with its own descriptors alone.
 */
function withThreads(sys: Syscall): Syscall {
  return {
    ...sys,
    closeRange: (first, flags) => sys.closeRange(first, flags | CLOSE_RANGE_CLOEXEC),
  };
}

function namespaceHint(): string {
  return 'Making namespaces needs CAP_SYS_ADMIN: launch as root. Inside an outer container its profile must allow unshare(2) too.';
}
