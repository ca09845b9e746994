import { lstatSync, unlinkSync } from 'node:fs';
import { isSyscallError, PinPathError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  MOVE_MOUNT_F_EMPTY_PATH,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  OPEN_TREE_CLONE,
} from '../libc/constants.ts';
import { moveMount } from '../libc/move-mount.ts';
import { openTree } from '../libc/open-tree.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { isPin } from './is-pin.ts';

/**
 * Mounts a pidfd on the file at `path`: from now on the kernel keeps the process's exit status for whoever opens the path,
 * with no process holding anything; Linux 6.14, status 6.15, CAP_SYS_ADMIN.
 *
 * The file must be empty, or nothing must be there, and then it is created. One caller at a time per path. The pin is a
 * mount of this mount namespace: make its directory a private mount first (`mountPrivately`), and `unpin` it in the end.
 * Throws PinPathError, SyscallError.
 */
export function pinPidfd(pidfd: FdLike, path: string): void {
  const created = createEmpty(path);
  try {
    using tree = new OwnedFd(
      openTree(fdNumber(pidfd), '', OPEN_TREE_CLONE | AT_EMPTY_PATH),
      'detached mount of a pidfd',
    );
    moveMount(tree.fd, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
  } catch (error) {
    if (created) unlinkSync(path);
    throw error;
  }
}

/** True if it made the file. */
function createEmpty(path: string): boolean {
  try {
    openFd(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600).close();
    return true;
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
  // A second pin would hide the first one, which then nobody could read or remove by path.
  if (isPin(path)) throw new PinPathError(path, 'it is a pin already');
  const found = lstatSync(path);
  if (!found.isFile()) throw new PinPathError(path, 'it is not a regular file');
  if (found.size !== 0) throw new PinPathError(path, `it has ${found.size} bytes`);
  return false;
}
