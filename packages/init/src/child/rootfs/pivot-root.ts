import { AT_FDCWD, MNT_DETACH, O_PATH } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

/**
 * Makes `root` the root of this mount namespace and lets go of the old one.
 *
 * `pivot_root(".", ".")` stacks the old root on the new one, so no directory for it is needed; see
 * pivot_root(2), Notes.
 */
export function pivotRoot(sys: Syscall, root: number): void {
  const oldRoot = sys.openat2(AT_FDCWD, '/', O_PATH, 0);
  sys.fchdir(root, 'the new root');
  sys.pivotRoot('.', '.');
  // The old root lies on top of ours now: go there, and take it off from within.
  sys.fchdir(oldRoot, 'the old root');
  sys.umount2('.', MNT_DETACH);
  sys.chdir('/');
  sys.close(oldRoot);
  sys.close(root);
}
