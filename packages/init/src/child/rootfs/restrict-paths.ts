import { isSyscallError } from '@pilotlight/scm-rights';
import { MOUNT_ATTR_RDONLY } from '../../plan/mount-options.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_NO_MAGICLINKS,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';

/** Mounts each path on itself, read-only. What does not exist needs no protection. */
export function makePathsReadonly(sys: Syscall, paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    attempting(`make ${path} read-only (linux.readonlyPaths[${index}])`, { index }, () => {
      const place = openIfPresent(sys, path);
      if (place === undefined) return;
      const tree = sys.openTree(
        place,
        '',
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH,
      );
      sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, {
        set: MOUNT_ATTR_RDONLY,
        clear: 0,
        propagation: 0,
      });
      sys.moveMount(tree, place, path);
      sys.close(tree);
      sys.close(place);
    });
  }
}

/** Hides each path: a directory behind an empty tmpfs, a file behind /dev/null. */
export function maskPaths(sys: Syscall, paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    attempting(`mask ${path} (linux.maskedPaths[${index}])`, { index }, () => {
      const place = openIfPresent(sys, path);
      if (place === undefined) return;
      const isDirectory = (sys.statx(place, '', AT_EMPTY_PATH).mode & S_IFMT) === S_IFDIR;
      const mask = isDirectory ? emptyDirectory(sys) : nullDevice(sys);
      sys.moveMount(mask, place, path);
      sys.close(mask);
      sys.close(place);
    });
  }
}

function openIfPresent(sys: Syscall, path: string): number | undefined {
  try {
    return sys.openat2(AT_FDCWD, path, O_PATH, RESOLVE_NO_MAGICLINKS);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT') || isSyscallError(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

function emptyDirectory(sys: Syscall): number {
  const context = sys.fsopen('tmpfs');
  sys.fsconfigString(context, 'source', 'tmpfs');
  sys.fsconfigFlag(context, 'ro');
  sys.fsconfigCreate(context, 'tmpfs');
  const tree = sys.fsmount(context, MOUNT_ATTR_RDONLY, 'tmpfs');
  sys.close(context);
  return tree;
}

/** A mount of the container's /dev/null, once it is certain that it is that device (CVE-2025-31133). */
function nullDevice(sys: Syscall): number {
  const tree = sys.openTree(AT_FDCWD, '/dev/null', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  requireNullDevice(sys, tree);
  return tree;
}

/** @throws Error when the descriptor is anything but the character device 1:3 */
export function requireNullDevice(sys: Syscall, fd: number): void {
  const { mode, deviceMajor, deviceMinor } = sys.statx(fd, '', AT_EMPTY_PATH);
  if ((mode & S_IFMT) !== S_IFCHR || deviceMajor !== 1 || deviceMinor !== 3) {
    throw new Error('/dev/null in the root file system is not the null device (character 1:3)');
  }
}
