import { isSyscallError } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_NO_SYMLINKS,
  S_IFCHR,
  S_IFMT,
} from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

/**
 * Makes a pty in the container's own devpts, sends its master to whoever listens on the console
 * socket, and takes the other side as standard streams, /dev/console and controlling terminal.
 *
 * After the pivot, so that the pty belongs to the container's instance of devpts; after setsid(2),
 * because only a session leader without a terminal can take one.
 *
 * @param isConsole false for a process that enters a container, whose /dev/console is its first process's
 */
export function attachConsole(
  sys: Syscall,
  socket: number,
  size: { height: number; width: number },
  isConsole: boolean,
): void {
  const master = sys.openat2(AT_FDCWD, '/dev/ptmx', O_RDWR | O_NOCTTY, 0);
  requirePtmx(sys, master);
  // By descriptor: a path below /dev/pts could have been replaced (CVE-2025-52565).
  const terminal = sys.openPtyPeer(master);
  if (size.height !== 0 && size.width !== 0) sys.setWindowSize(terminal, size.height, size.width);
  if (isConsole) mountConsole(sys, terminal);
  sys.sendFile(socket, '/dev/ptmx', master);
  sys.close(master);
  sys.close(socket);
  for (const fd of [0, 1, 2]) sys.dup3(terminal, fd, 0);
  sys.close(terminal);
  sys.setControllingTerminal(0);
}

/** In /dev by its descriptor, and never through a link that the image may have there. */
function mountConsole(sys: Syscall, terminal: number): void {
  const dev = sys.openat2(AT_FDCWD, '/dev', O_PATH, 0);
  try {
    sys.close(sys.createFile(dev, 'console', 0o600));
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
  const place = sys.openat2(dev, 'console', O_PATH, RESOLVE_NO_SYMLINKS);
  const tree = sys.openTree(terminal, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  sys.moveMount(tree, place, '/dev/console');
  sys.close(tree);
  sys.close(place);
  sys.close(dev);
}

/** @throws Error when the descriptor is anything but the multiplexer of pseudo-terminals, 5:2 */
function requirePtmx(sys: Syscall, fd: number): void {
  const { mode, deviceMajor, deviceMinor } = sys.statx(fd, '', AT_EMPTY_PATH);
  if ((mode & S_IFMT) === S_IFCHR && deviceMajor === 5 && deviceMinor === 2) return;
  throw new Error('/dev/ptmx in the root file system is not a pseudo-terminal (character 5:2)');
}
