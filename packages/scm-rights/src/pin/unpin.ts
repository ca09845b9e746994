import { unlinkSync } from 'node:fs';
import { isSyscallError } from '../errors.ts';
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../libc/constants.ts';
import { umount2 } from '../libc/umount2.ts';
import { isPin } from './is-pin.ts';

/**
 * Removes the pin at `path` and its file; what is already gone is fine, so it can be repeated after a crash.
 *
 * The exit status is lost with it unless somebody holds a pidfd. Throws SyscallError, and Node's error of unlink.
 */
export function unpin(path: string): void {
  // Each removes one mount. Detaching works also while the pin is open somewhere.
  while (isPin(path)) {
    try {
      umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    } catch (error) {
      // Somebody else was faster: look again.
      if (!isSyscallError(error, 'EINVAL') && !isSyscallError(error, 'ENOENT')) throw error;
      if (isPin(path)) throw error;
    }
  }
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
