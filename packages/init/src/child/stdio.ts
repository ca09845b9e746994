import { isSyscallError } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  S_IFCHR,
  S_IFMT,
} from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { requireNullDevice } from './rootfs/restrict-paths.ts';

/** Streams that are the host's /dev/null become the container's, so that no host mount is held. */
export function reopenNullStreams(sys: Syscall): void {
  for (const fd of [0, 1, 2]) {
    if (!isNull(sys, fd)) continue;
    // In a container that is entered it may be anything: a terminal must not become this session's,
    // and a device that has to be waited for must not hold us.
    const own = sys.openat2(AT_FDCWD, '/dev/null', O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
    requireNullDevice(sys, own);
    sys.dup3(own, fd, 0);
    sys.close(own);
  }
}

/**
 * Makes the standard streams blocking, which is what programs expect: Node makes pipes and sockets
 * non-blocking that it opens as its own streams, and the parent's are shared with it. Node's own
 * child_process does the same for its children.
 */
export function makeStreamsBlocking(sys: Syscall): void {
  for (const fd of [0, 1, 2]) sys.setBlocking(fd);
}

/**
 * Gives the standard streams to the user the program will run as, so that it can open
 * /dev/stdout again. Streams that cannot be given away stay as they are: they still work.
 */
export function giveStreamsToUser(sys: Syscall, uid: number): void {
  if (uid === 0) return;
  const keepGroup = 0xffff_ffff;
  for (const fd of [0, 1, 2]) {
    if (isNull(sys, fd)) continue;
    try {
      sys.fchown(fd, uid, keepGroup, `stream ${fd}`);
    } catch (error) {
      if (!['EINVAL', 'EPERM', 'EROFS'].some((code) => isSyscallError(error, code))) throw error;
    }
  }
}

function isNull(sys: Syscall, fd: number): boolean {
  const { mode, deviceMajor, deviceMinor } = sys.statx(fd, '', AT_EMPTY_PATH);
  return (mode & S_IFMT) === S_IFCHR && deviceMajor === 1 && deviceMinor === 3;
}
