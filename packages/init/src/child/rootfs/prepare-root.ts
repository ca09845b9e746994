import { isSyscallError } from '@pilotlight/scm-rights';
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
import { askParent } from './mount-source.ts';

/**
 * Cuts the mount namespace off from the host's and mounts the root file system on its own path.
 *
 * Where a user namespace keeps the child from the root's path, the parent clones it, and it is
 * mounted on the root of the namespace instead: nothing resolves there but what this process opens.
 *
 * @param fds the child's sync socket
 * @returns the descriptor of the root mount; everything inside is reached through it
 */
export function prepareRoot(sys: Syscall, fds: { sync: number }, rootfs: PlannedRootfs): number {
  // Before any mount of ours: a mount made while the tree is still shared would show on the host.
  attempting('cut mount propagation to the host', {}, () => changePropagation(sys, '/', rootfs));
  const hint = (): string =>
    'root.path must name an existing directory; relative paths start at the bundle.';
  return attempting(`open root file system ${rootfs.path}`, { hint }, () => {
    const { tree, place } = openRoot(sys, fds, rootfs);
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

/** A clone of the root, attached nowhere yet, and the place where it is to be mounted. */
function openRoot(
  sys: Syscall,
  fds: { sync: number },
  rootfs: PlannedRootfs,
): { tree: number; place: number } {
  let place: number;
  try {
    place = sys.openat2(AT_FDCWD, rootfs.path, O_PATH, 0);
  } catch (error) {
    if (!isSyscallError(error, 'EACCES')) throw error;
    const asked = { source: rootfs.path, destination: '/', recursive: true };
    const { tree } = askParent(sys, fds.sync, asked);
    // It was cloned among the host's mounts, and is tied to them as they are.
    changePropagation(sys, tree, rootfs);
    return { tree, place: sys.openat2(AT_FDCWD, '/', O_PATH, 0) };
  }
  if (rootfs.propagation === MS_SHARED) makeMountPrivate(sys, place);
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  return { tree: sys.openTree(place, '', flags), place };
}

function changePropagation(
  sys: Syscall,
  mount: '/' | number,
  { propagation, propagationRecursive }: PlannedRootfs,
): void {
  const [dirfd, path, empty] = mount === '/' ? [AT_FDCWD, '/', 0] : [mount, '', AT_EMPTY_PATH];
  sys.mountSetattr(dirfd, path, empty | (propagationRecursive ? AT_RECURSIVE : 0), {
    set: 0,
    clear: 0,
    propagation,
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
