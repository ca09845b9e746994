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
  const masks: Masks = {};
  for (const [index, path] of paths.entries()) {
    attempting(`mask ${path} (linux.maskedPaths[${index}])`, { index }, () => {
      const place = openIfPresent(sys, path);
      if (place === undefined) return;
      const isDirectory = (sys.statx(place, '', AT_EMPTY_PATH).mode & S_IFMT) === S_IFDIR;
      const mask = isDirectory ? emptyDirectory(sys, masks) : nullDevice(sys, masks);
      sys.moveMount(mask, place, path);
      sys.close(place);
      // The first of its kind is cloned for the others, now that it is attached: kernels before
      // 6.15 clone nothing else.
      if (isDirectory && masks.directory === undefined) masks.directory = mask;
      else sys.close(mask);
    });
  }
  if (masks.directory !== undefined) sys.close(masks.directory);
  if (masks.file !== undefined) sys.close(masks.file);
}

/** One file system for all directories, and one look at /dev/null for all files. */
type Masks = { directory?: number; file?: number };

function openIfPresent(sys: Syscall, path: string): number | undefined {
  try {
    return sys.openat2(AT_FDCWD, path, O_PATH, RESOLVE_NO_MAGICLINKS);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT') || isSyscallError(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

const clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;

function emptyDirectory(sys: Syscall, { directory }: Masks): number {
  if (directory !== undefined) return sys.openTree(directory, '', clone);
  const context = sys.fsopen('tmpfs');
  sys.fsconfigString(context, 'source', 'tmpfs');
  sys.fsconfigFlag(context, 'ro');
  sys.fsconfigCreate(context, 'tmpfs');
  const tree = sys.fsmount(context, MOUNT_ATTR_RDONLY, 'tmpfs');
  sys.close(context);
  return tree;
}

/** A mount of the container's /dev/null, once it is certain that it is that device (CVE-2025-31133). */
function nullDevice(sys: Syscall, masks: Masks): number {
  if (masks.file === undefined) {
    const file = sys.openat2(AT_FDCWD, '/dev/null', O_PATH, 0);
    requireNullDevice(sys, file);
    masks.file = file;
  }
  return sys.openTree(masks.file, '', clone);
}

/** @throws Error when the descriptor is anything but the character device 1:3 */
export function requireNullDevice(sys: Syscall, fd: number): void {
  const { mode, deviceMajor, deviceMinor } = sys.statx(fd, '', AT_EMPTY_PATH);
  if ((mode & S_IFMT) !== S_IFCHR || deviceMajor !== 1 || deviceMinor !== 3) {
    throw new Error('/dev/null in the root file system is not the null device (character 1:3)');
  }
}
