import { isSyscallError } from '@pilotlight/scm-rights';
import { close, open, recvmsg, SOCK_SEQPACKET, socketpair } from '@pilotlight/scm-rights/libc';
import type { ChildFds } from '../child/child-fds.ts';
import { attempting, describeFailure, StepFailure } from '../child/step-failure.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import { O_WRONLY } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { EntryFailure } from './entry.ts';
import type { Fork } from './forker.ts';
import type { Coming } from './zygote-loop.ts';
import type { ProcessSpawner } from './spawn-process.ts';
import type { SpawnedChild, SpawnedReport } from './spawned-child.ts';

/** This very program, whatever file or detached mount it was started from. */
const ownBinary = '/proc/self/exe';
const streams = [0, 1, 2];
const maxReportBytes = 32 * 1024;

export type ChildToSpawn = {
  cloneFlags: number;
  cgroupFd: number | undefined;
  child: ChildFds;
};

/**
 * Spawns a second Node that goes on as the child: as the first process of a pid namespace where one
 * is wanted. It makes the other namespaces itself, since only into that one it has to be born.
 *
 * It is there when it has started: until then Node makes threads and takes memory, which the limits
 * of its cgroup could forbid.
 *
 * @param commandLine of this program up to its settings
 * @throws EntryFailure, and nothing is left then; any other error leaves this process unusable
 */
export function spawnChild(
  sys: Syscall,
  spawner: ProcessSpawner,
  request: ChildToSpawn,
  commandLine: readonly string[],
): Coming {
  const { child, cloneFlags, cgroupFd } = request;
  const [ours, theirs] = socketpair(SOCK_SEQPACKET);
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
    report: hand(theirs),
  };
  // Above all numbers that are given out, so that no copy replaces another one on its way.
  const copy = (fd: number): number => sys.dupAbove(fd, inherited.length);
  const parked: number[] = [];
  let cgroup: number | undefined;
  try {
    for (const fd of inherited) parked.push(copy(fd));
    if (cgroupFd !== undefined) cgroup = copy(cgroupFd);
    const args = [...commandLine, JSON.stringify({ child: spawned })];
    const pid = bornInNewPidNamespace(sys, spawner, (cloneFlags & CLONE_NEWPID) !== 0, () =>
      attempting('start the second Node', {}, () => spawner.spawn(ownBinary, args, parked)),
    );
    return { report: ours, take: () => adopt(sys, spawner, pid, ours, cgroup) };
  } catch (error) {
    close(ours);
    if (cgroup !== undefined) close(cgroup);
    throw reported(error);
  } finally {
    close(theirs);
    for (const fd of parked) close(fd);
  }
}

/** It is nobody else's child, and waits for its config: whatever fails here, it has done nothing yet. */
function adopt(
  sys: Syscall,
  spawner: ProcessSpawner,
  pid: number,
  report: number,
  cgroup: number | undefined,
): Fork {
  try {
    requireStarted(report);
    if (cgroup !== undefined) enterCgroup(sys, cgroup, pid);
    return { pid, pidfd: sys.pidfdOpen(pid) };
  } catch (error) {
    spawner.discard(pid);
    throw reported(error);
  } finally {
    close(report);
    if (cgroup !== undefined) close(cgroup);
  }
}

function requireStarted(report: number): void {
  const packet = Buffer.alloc(maxReportBytes);
  const { length } = recvmsg(report, packet);
  if (length === 0) {
    throw new EntryFailure({
      step: 'fork',
      message: 'start the second Node: it ended before it could say anything',
      hint: 'Look into the kernel log for an out-of-memory kill.',
    });
  }
  const said = JSON.parse(packet.toString('utf8', 0, length)) as SpawnedReport;
  if ('failure' in said) throw new EntryFailure(said.failure);
}

/** In the form of procError, where it is a failure that leaves this process as it was. */
function reported(error: unknown): unknown {
  const isFailure = isSyscallError(error) || error instanceof StepFailure;
  return isFailure ? new EntryFailure(describeFailure('fork', error)) : error;
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
    // Whether there is a way back shows while there is no need of one.
    attempting('enter the own pid namespace', { hint: wayBackHint }, () =>
      sys.setns(own, CLONE_NEWPID, 'pid'),
    );
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

function wayBackHint(): string {
  return 'Without a fork of Node it takes CAP_SYS_ADMIN in the user namespace that owns the own pid namespace: launch as root of the host, or as root of a container with a pid namespace of its own.';
}

function namespaceHint(): string {
  return 'Making namespaces needs CAP_SYS_ADMIN: launch as root. Inside an outer container its profile must allow unshare(2) and setns(2) too.';
}
