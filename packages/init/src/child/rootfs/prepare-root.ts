import type { PlannedRootfs } from '../../config/init-config.ts';
import { MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_SHARED } from '../../plan/mount-options.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';

/**
 * Cuts the mount namespace off from the host's and mounts the root file system on its own path.
 *
 * @returns the descriptor of the root mount; everything inside is reached through it
 */
export function prepareRoot(sys: Syscall, rootfs: PlannedRootfs): number {
  // Before any mount of ours: a mount made while the tree is still shared would show on the host.
  attempting('cut mount propagation to the host', {}, () =>
    sys.mountSetattr(AT_FDCWD, '/', rootfs.propagationRecursive ? AT_RECURSIVE : 0, {
      set: 0,
      clear: 0,
      propagation: rootfs.propagation,
    }),
  );
  const hint = (): string =>
    'root.path must name an existing directory; relative paths start at the bundle.';
  return attempting(`open root file system ${rootfs.path}`, { hint }, () => {
    const place = sys.openat2(AT_FDCWD, rootfs.path, O_PATH, 0);
    if (rootfs.propagation === MS_SHARED) makeMountPrivate(sys, place);
    const tree = sys.openTree(
      place,
      '',
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE,
    );
    if (rootfs.readonlyBelow) {
      // While nothing of ours is mounted yet, so that only the host's part becomes read-only.
      sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, {
        set: MOUNT_ATTR_RDONLY,
        clear: 0,
        propagation: 0,
      });
    }
    sys.moveMount(tree, place, rootfs.path);
    sys.close(place);
    return tree;
  });
}

/** Far more than any path can have: without it a mistake of ours would be an endless loop. */
const maxDepth = 4096;

/**
 * Makes the mount private that the root file system lies on. While that mount is shared, the root's
 * own mount would appear on the host, and pivot_root(2) would refuse it.
 */
function makeMountPrivate(sys: Syscall, place: number): void {
  let directory = place;
  for (let depth = 0; depth < maxDepth && !sys.isMountRoot(directory); depth++) {
    const parent = sys.openat2(directory, '..', O_PATH, 0);
    if (directory !== place) sys.close(directory);
    directory = parent;
  }
  sys.mountSetattr(directory, '', AT_EMPTY_PATH, { set: 0, clear: 0, propagation: MS_PRIVATE });
  if (directory !== place) sys.close(directory);
}
