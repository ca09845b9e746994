import type { PlannedRootfs } from '../../config/init-config.ts';
import { MOUNT_ATTR_RDONLY } from '../../plan/mount-options.ts';
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
    sys.mountSetattr(AT_FDCWD, '/', AT_RECURSIVE, {
      set: 0,
      clear: 0,
      propagation: rootfs.propagation,
    }),
  );
  const hint = (): string =>
    'root.path must name an existing directory; relative paths start at the bundle.';
  return attempting(`open root file system ${rootfs.path}`, { hint }, () => {
    const tree = sys.openTree(
      AT_FDCWD,
      rootfs.path,
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE,
    );
    if (rootfs.readonlyBelow) {
      // While nothing of ours is mounted yet, so that only the host's part becomes read-only.
      sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, {
        set: MOUNT_ATTR_RDONLY,
        clear: 0,
        propagation: 0,
      });
    }
    const place = sys.openat2(AT_FDCWD, rootfs.path, O_PATH, 0);
    sys.moveMount(tree, place, rootfs.path);
    sys.close(place);
    return tree;
  });
}
