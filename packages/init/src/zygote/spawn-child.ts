import { isSyscallError } from '@pilotlight/scm-rights';
import { close, open } from '@pilotlight/scm-rights/libc';
import type { ChildFds } from '../child/child-fds.ts';
import { attempting, describeFailure, StepFailure } from '../child/step-failure.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import { O_WRONLY } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { EntryFailure } from './entry.ts';
import type { Fork } from './forker.ts';
import type { ProcessSpawner } from './spawn-process.ts';
import type { SpawnedChild } from './spawned-child.ts';

/** This very program, whatever file or detached mount it was started from. */
const ownBinary = '/proc/self/exe';
/** Above what one message of a Unix socket carries: no copy replaces another one on its way. */
const LEAST_PARKING_FD = 512;
const streams = [0, 1, 2];

export type ChildToSpawn = {
  cloneFlags: number;
  cgroupFd: number | undefined;
  child: ChildFds;
};

/**
 * Spawns a second Node that goes on as the child: as the first process of a pid namespace where one
 * is wanted. It makes the other namespaces itself, since only into that one it has to be born.
 *
 * @param commandLine of this program up to its settings
 * @throws EntryFailure, and nothing is left then; any other error leaves this process unusable
 */
export function spawnChild(
  sys: Syscall,
  spawner: ProcessSpawner,
  request: ChildToSpawn,
  commandLine: readonly string[],
): Fork {
  const { child, cloneFlags, cgroupFd } = request;
  // Of this process it gets the streams, which are no user's.
  const inherited = [...streams];
  const hand = (fd: number): number => inherited.push(fd) - 1;
  const spawned: SpawnedChild = {
    unshareFlags: cloneFlags & ~CLONE_NEWPID,
    fds: {
      stdin: hand(child.stdin),
      stdout: hand(child.stdout),
      stderr: hand(child.stderr),
      init: hand(child.init),
      sync: hand(child.sync),
      ...(child.console === undefined ? {} : { console: hand(child.console) }),
      preserved: (child.preserved ?? []).map(hand),
      joins: (child.joins ?? []).map(hand),
    },
  };
  const parked: number[] = [];
  try {
    for (const fd of inherited) parked.push(sys.dupAbove(fd, LEAST_PARKING_FD));
    const args = [...commandLine, JSON.stringify({ child: spawned })];
    const pid = bornInNewPidNamespace(sys, spawner, (cloneFlags & CLONE_NEWPID) !== 0, () =>
      attempting('start the second Node', {}, () => spawner.spawn(ownBinary, args, parked)),
    );
    return adopt(sys, spawner, pid, cgroupFd);
  } catch (error) {
    if (isSyscallError(error) || error instanceof StepFailure) {
      throw new EntryFailure(describeFailure('fork', error));
    }
    throw error;
  } finally {
    for (const fd of parked) close(fd);
  }
}

/** It is nobody else's child, and waits for its config: whatever fails here, it has done nothing yet. */
function adopt(
  sys: Syscall,
  spawner: ProcessSpawner,
  pid: number,
  cgroupFd: number | undefined,
): Fork {
  try {
    if (cgroupFd !== undefined) enterCgroup(sys, cgroupFd, pid);
    return { pid, pidfd: sys.pidfdOpen(pid) };
  } catch (error) {
    spawner.discard(pid);
    throw error;
  }
}

function enterCgroup(sys: Syscall, cgroupFd: number, pid: number): void {
  attempting('enter the cgroup', {}, () => {
    const file = sys.openat2(cgroupFd, 'cgroup.procs', O_WRONLY, 0);
    try {
      sys.writeAll(file, new TextEncoder().encode(String(pid)), 'cgroup.procs');
    } finally {
      sys.close(file);
    }
  });
}

/**
 * unshare(2) only changes where this thread's next children are born, and setns(2) changes it back:
 * while it stands, the kernel refuses to make a thread, and the next one would be inside the first.
 */
function bornInNewPidNamespace(
  sys: Syscall,
  spawner: ProcessSpawner,
  wanted: boolean,
  spawn: () => number,
): number {
  if (!wanted) return spawn();
  const own = open('/proc/self/ns/pid', 0);
  let pid: number | undefined;
  try {
    attempting('make a pid namespace', { hint: namespaceHint }, () => sys.unshare(CLONE_NEWPID));
    try {
      pid = spawn();
      return pid;
    } finally {
      comeBack(sys, own, () => (pid === undefined ? undefined : spawner.discard(pid)));
    }
  } finally {
    close(own);
  }
}

function comeBack(sys: Syscall, own: number, undo: () => void): void {
  try {
    sys.setns(own, CLONE_NEWPID, 'pid');
  } catch (cause) {
    undo();
    throw new Error('the own pid namespace cannot be entered again', { cause });
  }
}

function namespaceHint(): string {
  return 'Making namespaces needs CAP_SYS_ADMIN: launch as root. Inside an outer container its profile must allow unshare(2) and setns(2) too.';
}
