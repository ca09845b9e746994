import {
  close,
  pidfdSendSignal,
  recvmsg,
  sendmsg,
  SOCK_SEQPACKET,
  socketpair,
  waitid,
} from '@pilotlight/scm-rights/libc';
import { type ChildFds, placeDescriptors } from '../child/child-fds.ts';
import { enterNamespaces } from '../child/enter-namespaces.ts';
import type { NamespaceToJoin } from '../config/init-config.ts';
import { runChild } from '../child/run-child.ts';
import { setOomScoreAdj } from '../child/write-proc-file.ts';
import { describeFailure, type FailureReport } from '../child/step-failure.ts';
import type { Syscall } from '../syscall/syscall.ts';
import type { Fork, Forker } from './forker.ts';

const SIGKILL = 9;
const maxReportBytes = 16 * 1024;

/** What a child is forked with that has to be born inside namespaces which must be joined first. */
export type EntryRequest = {
  cloneFlags: number;
  cgroupFd: number | undefined;
  child: ChildFds;
  /** In the order of `joinFds`. */
  joins: readonly NamespaceToJoin[];
  joinFds: readonly number[];
  /**
   * Inherited by the child, which cannot set it itself where an unprivileged user launches: in the
   * namespaces that are joined it has to be undumpable, and its files in /proc are root's then.
   */
  oomScoreAdj?: number | undefined;
};

/** An entry under way. Both descriptors belong to whoever calls `takeEntryReport`. */
export type Entry = { pidfd: number; report: number };

type EntryReport = { pid: number } | { failure: FailureReport };

/** Thrown for an entry that failed: what it reported, in the form of procError. */
export class EntryFailure extends Error {
  readonly report: FailureReport;

  constructor(report: FailureReport) {
    super(report.message);
    this.report = report;
  }
}

/**
 * Forks a process that joins the namespaces, forks the child out of them as a sibling of its own
 * (CLONE_PARENT), passes on its pidfd, and ends.
 *
 * It is needed where one process cannot do both: a user namespace must be entered before others can
 * be made that belong to it, and a pid namespace is only ever entered by being born there.
 *
 * @throws SyscallError when it cannot be forked
 */
export function startEntry(sys: Syscall, forker: Forker, request: EntryRequest): Entry {
  const [ours, theirs] = socketpair(SOCK_SEQPACKET);
  try {
    const { pidfd } = forker.fork({
      cloneFlags: 0,
      child: () => runEntry(sys, forker, request, theirs),
    });
    return { pidfd, report: ours };
  } catch (error) {
    close(ours);
    throw error;
  } finally {
    close(theirs);
  }
}

/**
 * Takes the child that an entry has made, once its report can be read; reaps the entry.
 *
 * @throws EntryFailure for the call that stopped it
 */
export function takeEntryReport({ pidfd, report }: Entry): Fork {
  const packet = Buffer.alloc(maxReportBytes);
  try {
    const { length, fds } = recvmsg(report, packet);
    if (length === 0) {
      throw new EntryFailure({
        step: 'namespaces',
        message: 'join namespaces: the process that joins them died',
      });
    }
    const said = JSON.parse(packet.toString('utf8', 0, length)) as EntryReport;
    if ('failure' in said) throw new EntryFailure(said.failure);
    return { pid: said.pid, pidfd: fds[0]! };
  } finally {
    close(report);
    // It has nothing more to do; so that the wait cannot take long, whatever it is at.
    pidfdSendSignal(pidfd, SIGKILL);
    waitid(pidfd);
    close(pidfd);
  }
}

function runEntry(sys: Syscall, forker: Forker, request: EntryRequest, reportFd: number): never {
  let report = reportFd;
  let step = 'descriptors';
  try {
    const { child, joinFds, cgroupFd } = request;
    const preserved = child.preserved ?? [];
    const { stdin, stdout, stderr, init, sync } = child;
    const console = child.console === undefined ? [] : [child.console];
    const cgroup = cgroupFd === undefined ? [] : [cgroupFd];
    placeDescriptors(sys, [
      stdin,
      stdout,
      stderr,
      init,
      sync,
      reportFd,
      ...console,
      ...cgroup,
      ...preserved,
      ...joinFds,
    ]);
    report = 5;
    const firstCgroup = 6 + console.length;
    const firstPreserved = firstCgroup + cgroup.length;
    const firstJoin = firstPreserved + preserved.length;
    step = 'session';
    if (request.oomScoreAdj !== undefined) setInheritedOomScoreAdj(sys, request.oomScoreAdj);
    step = 'namespaces';
    enterNamespaces(
      sys,
      request.joins,
      joinFds.map((_, index) => firstJoin + index),
    );
    step = 'fork';
    const { pid, pidfd } = forker.fork({
      cloneFlags: request.cloneFlags,
      cloneParent: true,
      ...(cgroup.length === 0 ? {} : { cgroupFd: firstCgroup }),
      child: () =>
        runChild(sys, {
          stdin: 0,
          stdout: 1,
          stderr: 2,
          init: 3,
          sync: 4,
          ...(console.length === 0 ? {} : { console: 6 }),
          preserved: preserved.map((_, index) => firstPreserved + index),
        }),
    });
    send(report, { pid }, [pidfd]);
    return sys.exit(0);
  } catch (error) {
    try {
      send(report, { failure: describeFailure(step, error) });
    } catch {
      // The end of this process says enough.
    }
    return sys.exit(1);
  }
}

/** Dumpable for this moment, in which it is still in the launcher's namespaces alone. */
function setInheritedOomScoreAdj(sys: Syscall, value: number): void {
  const dumpable = sys.isDumpable();
  if (!dumpable) sys.setDumpable(true);
  setOomScoreAdj(sys, value);
  if (!dumpable) sys.setDumpable(false);
}

function send(socket: number, report: EntryReport, fds: readonly number[] = []): void {
  sendmsg(socket, Buffer.from(JSON.stringify(report)), { fds });
}
