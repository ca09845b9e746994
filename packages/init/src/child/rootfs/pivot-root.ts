import type { PlannedRootfs } from '../../config/init-config.ts';
import { MS_SHARED, MS_SLAVE } from '../../plan/mount-options.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MNT_DETACH,
  O_PATH,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { moveRoot } from './move-root.ts';

/** Makes `root`, which is closed, the root of this process and, if it can be, of its mount namespace. */
export function enterRoot(sys: Syscall, root: number, rootfs: PlannedRootfs): void {
  if (rootfs.noPivot === true) moveRoot(sys, root);
  else pivotRoot(sys, root, rootfs.propagation === MS_SHARED);
  sys.close(root);
}

/**
 * Makes `root` the root of this mount namespace and lets go of the old one.
 *
 * `pivot_root(".", ".")` stacks the old root on the new one, so no directory for it is needed; see
 * pivot_root(2), Notes.
 *
 * @param tiedToHost the old root's mounts are the host's peers
 */
function pivotRoot(sys: Syscall, root: number, tiedToHost: boolean): void {
  const oldRoot = sys.openat2(AT_FDCWD, '/', O_PATH, 0);
  sys.fchdir(root, 'the new root');
  sys.pivotRoot('.', '.');
  // The old root lies on top of ours now: go there, and take it off from within.
  sys.fchdir(oldRoot, 'the old root');
  if (tiedToHost) {
    // Or else the host would lose every mount that is taken off here.
    const change = { set: 0, clear: 0, propagation: MS_SLAVE };
    sys.mountSetattr(oldRoot, '', AT_EMPTY_PATH | AT_RECURSIVE, change);
  }
  sys.umount2('.', MNT_DETACH);
  sys.chdir('/');
  sys.close(oldRoot);
}
