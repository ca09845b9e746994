import { isSyscallError, syscallError } from '@pilotlight/scm-rights';
import type { FilesystemParameter, PlannedFilesystem } from '../../config/init-config.ts';
import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_STRICTATIME,
} from '../../plan/mount-options.ts';
import { maxParameterBytes } from '../../plan/overlay-layers.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attach, changePropagation } from './attach.ts';
import { copyUp } from './copy-up.ts';
import { openMountTarget, type Place } from './mount-target.ts';

/** @returns the descriptor of the mount, which the caller owns */
export function mountFilesystem(sys: Syscall, root: number, mount: PlannedFilesystem): number {
  const { destination } = mount;
  // What it covers must be seen before it is covered.
  const covered =
    mount.inheritMode === true || mount.copyUp === true
      ? openMountTarget(sys, root, destination, 'directory')
      : undefined;
  const tree = makeFilesystem(sys, mount, covered);
  if (tree === undefined) return mountClassically(sys, root, mount);
  if (covered !== undefined && mount.copyUp === true) copyUp(sys, covered.fd, tree);
  const target = covered?.fd ?? openTarget(sys, root, mount);
  attach(sys, tree, target, destination, mount.propagation);
  return tree;
}

function openTarget(sys: Syscall, root: number, mount: PlannedFilesystem): number {
  const { noLinks, destination } = mount;
  if (noLinks === true) {
    const path = destination.slice(1);
    try {
      return sys.openat2(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if (!isSyscallError(error, 'ENOENT')) throw error;
    }
  }
  const place = openMountTarget(sys, root, destination, 'directory');
  if (noLinks !== true || place.path === destination) return place.fd;
  throw new Error(`links in the root file system lead ${destination} to ${place.path}`);
}

/** A detached mount of it; `undefined` where only mount(2) can take the parameters. */
function makeFilesystem(
  sys: Syscall,
  mount: PlannedFilesystem,
  covered: Place | undefined,
): number | undefined {
  const { fstype } = mount;
  const context = sys.fsopen(fstype);
  sys.fsconfigString(context, 'source', mount.source);
  for (const flag of mount.superblockFlags) sys.fsconfigFlag(context, flag);
  if (mount.inheritMode === true && covered !== undefined && !covered.made) {
    const { mode } = sys.statx(covered.fd, '', AT_EMPTY_PATH);
    sys.fsconfigString(context, 'mode', (mode & 0o7777).toString(8));
  }
  try {
    for (const parameter of mount.parameters) setParameter(sys, context, parameter);
  } catch (error) {
    if (mount.classicData === undefined || !isSyscallError(error, 'EINVAL')) throw error;
    sys.close(context);
    return undefined;
  }
  sys.fsconfigCreate(context, fstype);
  const tree = sys.fsmount(context, mount.attributes, fstype);
  sys.close(context);
  return tree;
}

function setParameter(sys: Syscall, context: number, [key, value]: FilesystemParameter): void {
  if (value === null) return sys.fsconfigFlag(context, key);
  if (value.length <= maxParameterBytes / 4 || byteLength(value) <= maxParameterBytes) {
    return sys.fsconfigString(context, key, value);
  }
  // The sources of an overlay; every other value of this length is refused by its kernel.
  if (!pathKeys.includes(key)) {
    throw syscallError(E2BIG, 'fsconfig', { path: key, hint: 'A value has at most 255 bytes.' });
  }
  const fd = sys.openat2(AT_FDCWD, value, O_PATH, 0);
  sys.fsconfigFd(context, key, fd, value);
  sys.close(fd);
}

const E2BIG = 7;
const pathKeys = ['lowerdir', 'lowerdir+', 'datadir+', 'upperdir', 'workdir'];
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

const maxDataBytes = 4095;

/**
 * mount(2) on the working directory, which is the target by its descriptor: no path is resolved.
 * For overlays of many layers on kernels before 6.7.
 */
function mountClassically(sys: Syscall, root: number, mount: PlannedFilesystem): number {
  const { destination, fstype, source, classicData = '' } = mount;
  if (byteLength(classicData) > maxDataBytes) {
    throw syscallError(E2BIG, 'mount', {
      path: destination,
      hint: 'This kernel takes all parameters as one text of at most 4095 bytes; Linux 6.7 takes lower layers one by one. Shorten their paths.',
    });
  }
  const { fd, path } = openMountTarget(sys, root, destination, 'directory');
  sys.fchdir(fd, destination);
  sys.mountOnWorkingDirectory(source, fstype, classicFlags(mount), classicData);
  sys.close(fd);
  const mounted = sys.openat2(root, path.slice(1), O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  changePropagation(sys, mounted, mount.propagation);
  return mounted;
}

/** The first four bits are the same; mount(2) has other numbers for the rest. */
function classicFlags({ attributes, superblockFlags }: PlannedFilesystem): number {
  const flagged = classicAttributes.map(([attribute, flag]) => attributes & attribute && flag);
  const named = superblockFlags.map((name) => classicNames.get(name) ?? 0);
  return [...flagged, ...named].reduce((flags, flag) => flags | flag, attributes & 0xf);
}

const classicAttributes: readonly [attribute: number, flag: number][] = [
  [MOUNT_ATTR_NOATIME, 0x400],
  [MOUNT_ATTR_STRICTATIME, 0x100_0000],
  [MOUNT_ATTR_NODIRATIME, 0x800],
  [MOUNT_ATTR_NOSYMFOLLOW, 0x100],
];
const classicNames: ReadonlyMap<string, number> = new Map([
  ['ro', 0x1],
  ['sync', 0x10],
  ['mand', 0x40],
  ['dirsync', 0x80],
  ['lazytime', 0x200_0000],
]);
