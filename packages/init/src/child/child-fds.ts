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
};

/** Where the child keeps them from its first step on; above the console nothing stays open. */
export const INIT_FD = 3;
export const SYNC_FD = 4;
export const CONSOLE_FD = 5;
const FIRST_FOREIGN_FD = 6;

/** Where copies are parked while the low numbers are given out, so that none overwrites another. */
const PARKING_FD = 64;

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
export function takeDescriptors(sys: DescriptorCalls, fds: ChildFds): void {
  const wanted: [fd: number | undefined, target: number][] = [
    [fds.stdin, 0],
    [fds.stdout, 1],
    [fds.stderr, 2],
    [fds.init, INIT_FD],
    [fds.sync, SYNC_FD],
    [fds.console, CONSOLE_FD],
  ];
  const parked: [fd: number, target: number][] = [];
  for (const [fd, target] of wanted) {
    if (fd !== undefined) parked.push([sys.dupAbove(fd, PARKING_FD), target]);
  }
  const O_CLOEXEC = 0o200_0000;
  for (const [fd, target] of parked) sys.dup3(fd, target, target <= 2 ? 0 : O_CLOEXEC);
  sys.closeRange(fds.console === undefined ? CONSOLE_FD : FIRST_FOREIGN_FD, 0);
}
