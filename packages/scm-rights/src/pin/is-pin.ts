import { isSyscallError } from '../errors.ts';
import { PIDFS_MAGIC } from '../libc/constants.ts';
import { statfsType } from '../libc/statfs.ts';

/** Whether a pidfd is mounted at `path` in this mount namespace; false if nothing is there. Throws SyscallError. */
export function isPin(path: string): boolean {
  try {
    return statfsType(path) === PIDFS_MAGIC;
  } catch (error) {
    if (isSyscallError(error, 'ENOENT') || isSyscallError(error, 'ENOTDIR')) return false;
    throw error;
  }
}
