import { OwnedFd } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  close,
  fcntlDupfd,
  mountSetattr,
  OPEN_TREE_CLONE,
  openTree,
} from '@pilotlight/scm-rights/libc';
import { MOUNT_ATTR_RDONLY } from '../plan/mount-options.ts';

/** Above what a new process gets as its streams and sockets, which would replace it there. */
const LEAST_FD = 16;

/**
 * A read-only copy of the mount that `path` lies on, with that file as its root, attached nowhere;
 * open_tree(2) and mount_setattr(2), Linux 5.12, CAP_SYS_ADMIN over the mount namespace.
 *
 * A program that is run through it stays on it after the descriptor is closed: whoever opens its
 * /proc/PID/exe for writing gets EROFS. Once the descriptor is closed the mount belongs to no
 * namespace, so that nobody can make it writable again or bind it elsewhere.
 *
 * @returns a descriptor of 16 or above, so that few are enough for a launching process; the caller closes it
 * @throws SyscallError: EPERM without the capability, ENOENT, ENOSYS
 */
export function cloneReadOnly(path: string): OwnedFd {
  const tree = openTree(AT_FDCWD, path, OPEN_TREE_CLONE);
  try {
    mountSetattr(tree, '', AT_EMPTY_PATH, { set: BigInt(MOUNT_ATTR_RDONLY) });
    return new OwnedFd(fcntlDupfd(tree, LEAST_FD), `read-only clone of ${path}`);
  } finally {
    close(tree);
  }
}
