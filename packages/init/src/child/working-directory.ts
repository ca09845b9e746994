import { isSyscallError } from '@pilotlight/scm-rights';
import { AT_FDCWD, O_PATH } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { openPlace } from './rootfs/mount-target.ts';
import { attempting } from './step-failure.ts';

/** Makes the working directory if the root file system lacks it and can be written. */
export function makeWorkingDirectory(sys: Syscall, cwd: string): void {
  const root = sys.openat2(AT_FDCWD, '/', O_PATH, 0);
  try {
    sys.close(openPlace(sys, root, cwd, 'directory').fd);
  } catch (error) {
    // Not there and cannot be made: entering it will fail and say so.
    if (!isSyscallError(error)) throw error;
  }
  sys.close(root);
}

/**
 * Enters the working directory and proves that it lies inside the root: a directory reached
 * through a leaked descriptor has no path from here (CVE-2024-21626).
 *
 * @returns false when it may not be entered yet, because only the program's user can
 */
export function enterWorkingDirectory(sys: Syscall, cwd: string, retryLater: boolean): boolean {
  try {
    attempting(
      `enter working directory ${cwd}`,
      { hint: () => 'process.cwd must be a directory inside the root that the user may enter.' },
      () => sys.chdir(cwd),
    );
  } catch (error) {
    const { cause } = error as Error;
    if (retryLater && (isSyscallError(cause, 'EACCES') || isSyscallError(cause, 'EPERM')))
      return false;
    throw error;
  }
  const reached = sys.getcwd();
  if (!reached.startsWith('/')) {
    throw new Error(`working directory ${cwd} lies outside the root file system`);
  }
  return true;
}
