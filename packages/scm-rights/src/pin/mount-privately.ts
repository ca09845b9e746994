import { readFileSync, realpathSync } from 'node:fs';
import { isSyscallError } from '../errors.ts';
import {
  AT_FDCWD,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  OPEN_TREE_CLONE,
  UMOUNT_NOFOLLOW,
} from '../libc/constants.ts';
import { mountSetattr } from '../libc/mount-setattr.ts';
import { moveMount } from '../libc/move-mount.ts';
import { openTree } from '../libc/open-tree.ts';
import { umount2 } from '../libc/umount2.ts';
import { OwnedFd } from '../owned-fd.ts';
import { isSelfBind, mountAt, type MountInfo, parseMountInfo } from './mount-info.ts';

/**
 * Makes `dir` a private mount of itself, so that pins in it do not spread into other mount namespaces; Linux 5.12,
 * CAP_SYS_ADMIN. Does nothing if it already is a mount that shares nothing; a shared mount of somebody else is covered.
 *
 * One caller at a time per directory: hold a lock, or the second mount hides pins on the first. Throws SyscallError.
 */
export function mountPrivately(dir: string): void {
  const path = realpathSync(dir);
  const mounts = readMounts();
  const mount = mountAt(mounts, path);
  if (mount !== undefined && !mount.shared) return;
  if (mount !== undefined && isSelfBind(mounts, mount)) {
    // Finishes what a caller began that ended between the two steps below.
    makePrivate(path);
    return;
  }
  using tree = new OwnedFd(openTree(AT_FDCWD, path, OPEN_TREE_CLONE), `detached mount of ${path}`);
  moveMount(tree.fd, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
  // After it is attached: under a shared parent, attaching makes it shared again.
  makePrivate(path);
}

/**
 * Undoes {@link mountPrivately}. False if the mount is busy: pins are left in it, or somebody has something open there.
 *
 * True also if there was nothing to undo; a mount that is not the directory's own is left alone. Throws SyscallError.
 */
export function unmountPrivately(dir: string): boolean {
  const path = realpathSync(dir);
  for (;;) {
    const mounts = readMounts();
    const mount = mountAt(mounts, path);
    if (mount === undefined || !isSelfBind(mounts, mount)) return true;
    try {
      umount2(path, UMOUNT_NOFOLLOW);
    } catch (error) {
      if (isSyscallError(error, 'EBUSY')) return false;
      // EINVAL: somebody else was faster. Look again.
      if (!isSyscallError(error, 'EINVAL') || mountAt(readMounts(), path)?.id === mount.id) {
        throw error;
      }
    }
  }
}

function makePrivate(path: string): void {
  mountSetattr(AT_FDCWD, path, 0, { propagation: MS_PRIVATE });
}

function readMounts(): MountInfo[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}
