import { type FdLike, fdNumber, OwnedFd } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  mountSetattr,
  OPEN_TREE_CLONE,
  openTree,
} from '@pilotlight/scm-rights/libc';

const MOUNT_ATTR_IDMAP = 0x10_0000n;

/**
 * A detached copy of the mount tree at `path`; open_tree(2), Linux 5.2.
 *
 * @returns its descriptor, which the caller owns
 * @throws SyscallError
 */
export function cloneMountTree(path: string, recursive: boolean): OwnedFd {
  const flags = OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0);
  return new OwnedFd(openTree(AT_FDCWD, path, flags), `mount tree ${path}`);
}

/** Shows a detached tree with the ids that a user namespace maps; mount_setattr(2), Linux 5.12. @throws SyscallError */
export function mapMountIds(tree: FdLike, userNamespace: FdLike, recursive: boolean): void {
  mountSetattr(fdNumber(tree), '', AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), {
    set: MOUNT_ATTR_IDMAP,
    userNsFd: fdNumber(userNamespace),
  });
}
