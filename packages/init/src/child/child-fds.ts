/** The descriptors that a child starts with, by the numbers they have in the process that forks. */
export type ChildFds = {
  stdin: number;
  stdout: number;
  stderr: number;
  /** Stream socket: the config comes from here, then end of file. */
  init: number;
  /** Seqpacket socket: the handshake. */
  sync: number;
  /** Stream socket that takes the master side of the pty; only with a terminal. */
  console?: number;
  /** What the program gets beside its streams, from 3 on in this order. */
  preserved?: readonly number[];
  /** Namespaces to join. */
  joins?: readonly number[];
};

/** Where the child keeps its own descriptors from its first step on; all are close-on-exec. */
export type OwnFds = {
  /** How many descriptors, from 3 on, are the program's. */
  preserved: number;
  init: number;
  sync: number;
  console: number | undefined;
  joins: number[];
};

const FIRST_AFTER_STREAMS = 3;
/** Where copies are parked while the low numbers are given out, so that none overwrites another. */
const LEAST_PARKING_FD = 64;
const O_CLOEXEC = 0o200_0000;

type DescriptorCalls = {
  dupAbove(fd: number, least: number): number;
  dup3(oldfd: number, newfd: number, flags: number): void;
  closeRange(first: number, flags: number): void;
};

/**
 * Puts the child's descriptors on their numbers and closes every other one.
 *
 * First of all steps: what the forking process had open (its own sockets, other children's pidfds,
 * files of its user) must not be within reach of anything that happens later (CVE-2024-21626).
 */
export function takeDescriptors(sys: DescriptorCalls, fds: ChildFds): OwnFds {
  const preserved = fds.preserved ?? [];
  const joins = fds.joins ?? [];
  const hasConsole = fds.console !== undefined;
  const wanted = [
    fds.stdin,
    fds.stdout,
    fds.stderr,
    ...preserved,
    fds.init,
    fds.sync,
    ...(hasConsole ? [fds.console!] : []),
    ...joins,
  ];
  placeDescriptors(sys, wanted);
  const init = FIRST_AFTER_STREAMS + preserved.length;
  const sync = init + 1;
  const firstJoin = sync + (hasConsole ? 2 : 1);
  return {
    preserved: preserved.length,
    init,
    sync,
    console: hasConsole ? sync + 1 : undefined,
    joins: joins.map((_, index) => firstJoin + index),
  };
}

/** Puts descriptors on the numbers from 0 on, in this order, and closes every other one. */
export function placeDescriptors(sys: DescriptorCalls, wanted: readonly number[]): void {
  const parking = Math.max(LEAST_PARKING_FD, wanted.length);
  const parked = wanted.map((fd) => sys.dupAbove(fd, parking));
  for (const [target, fd] of parked.entries()) {
    sys.dup3(fd, target, target < FIRST_AFTER_STREAMS ? 0 : O_CLOEXEC);
  }
  sys.closeRange(wanted.length, 0);
}
