import {
  flockExclusive,
  flockShared,
  isScmRightsError,
  type OwnedFd,
} from '@pilotlight/scm-rights';
import { BadRecordError, BusyError, DiskError, errnoCode, isDiskRefusal } from '../errors.ts';

export interface LockOptions {
  /** How long another may hold it, in milliseconds; 0 tries once. */
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * Takes flock(2) on a lock file, made when missing; the caller closes the result.
 *
 * A removed store or record takes its lock file along: who waited for it goes on with the new file, or, the folder being
 * gone, gets undefined. Throws BusyError, DiskError, BadRecordError, the signal's reason, SyscallError.
 */
export async function takeLock(
  path: string,
  kind: 'shared' | 'exclusive',
  { deadlineMs, signal }: LockOptions,
): Promise<OwnedFd | undefined> {
  const flock = kind === 'shared' ? flockShared : flockExclusive;
  try {
    return await flock(path, { deadlineMs, signal });
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    if (isDiskRefusal(error)) throw new DiskError('lock', path, error);
    if (errnoCode(error) === 'EISDIR') throw new BadRecordError(path, 'it is a directory', error);
    if (isScmRightsError(error, 'ERR_SCM_LOCK_TIMEOUT')) {
      throw new BusyError(path, deadlineMs, error);
    }
    throw error;
  }
}
