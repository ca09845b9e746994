import type { SyscallError } from '@pilotlight/scm-rights';
import type { PlannedMount } from '../../config/init-config.ts';
import { MOUNT_ATTR_RDONLY } from '../../plan/mount-options.ts';
import { AT_EMPTY_PATH } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';
import { type MountPlaces, mountBind, remount } from './mount-bind.ts';
import { mountFilesystem } from './mount-filesystem.ts';
import { openMountTarget } from './mount-target.ts';

/** A mount that is to become read-only once it is filled. */
export type UnsealedMount = { mount: PlannedMount; fd: number };

/**
 * Makes the mounts of the configuration in its order; later ones may lie inside earlier ones.
 *
 * @returns those that must stay writable until `sealMounts`
 */
export function makeMounts(
  sys: Syscall,
  places: MountPlaces,
  mounts: readonly PlannedMount[],
): UnsealedMount[] {
  const unsealed: UnsealedMount[] = [];
  const seals = mounts.filter(({ kind }) => kind === 'seal');
  for (const mount of mounts) {
    if (mount.kind === 'seal') continue;
    attemptMount(mount, () => {
      const fd = makeMount(sys, places, mount);
      if (fd === undefined) return;
      const { index, destination } = mount;
      const seal = seals.find((each) => each.index === index && each.destination === destination);
      if (seal === undefined) sys.close(fd);
      else unsealed.push({ mount: seal, fd });
    });
  }
  return unsealed;
}

/**
 * Makes mounts read-only that had to be filled first, and closes them. Each by its own
 * descriptor: whatever lies on its path by now, nothing else is meant.
 */
export function sealMounts(sys: Syscall, unsealed: readonly UnsealedMount[]): void {
  for (const { mount, fd } of unsealed) {
    attemptMount(mount, () => {
      const change = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
      sys.mountSetattr(fd, '', AT_EMPTY_PATH, change);
      sys.close(fd);
    });
  }
}

function makeMount(sys: Syscall, places: MountPlaces, mount: PlannedMount): number | undefined {
  switch (mount.kind) {
    case 'filesystem':
      return mountFilesystem(sys, places.root, mount);
    case 'bind':
      return mountBind(sys, places, mount);
    case 'remount':
      return remount(sys, places.root, mount);
    case 'symlink':
      makeLink(sys, places.root, mount.destination, mount.target);
      return undefined;
    case 'seal':
      return undefined;
  }
}

/** In the directory by its descriptor: a path would follow links on the way, out of the root. */
function makeLink(sys: Syscall, root: number, path: string, target: string): void {
  const slash = path.lastIndexOf('/');
  const { fd } = openMountTarget(sys, root, path.slice(0, slash) || '/', 'directory');
  sys.symlinkat(target, fd, path.slice(slash + 1));
  sys.close(fd);
}

function attemptMount(mount: PlannedMount, action: () => void): void {
  const { index } = mount;
  attempting(describe(mount), { index, hint: (error) => hintFor(error, mount) }, action);
}

function describe(mount: PlannedMount): string {
  return `${attemptOf(mount)} at ${mount.destination} (mounts[${mount.index}])`;
}

function attemptOf(mount: PlannedMount): string {
  switch (mount.kind) {
    case 'filesystem':
      return `mount ${mount.fstype}`;
    case 'bind':
      return `bind ${mount.source}`;
    case 'remount':
      return 'change the mount';
    case 'symlink':
      return `link to ${mount.target}`;
    case 'seal':
      return 'make the mount read-only';
  }
}

/** File systems that show a namespace: whoever mounts one needs rights in the user namespace that owns it. */
const shownNamespaces: ReadonlyMap<string, string> = new Map([
  ['proc', 'pid'],
  ['sysfs', 'network'],
  ['mqueue', 'ipc'],
  ['cgroup', 'cgroup'],
  ['cgroup2', 'cgroup'],
]);

function hintFor({ code, syscall }: SyscallError, mount: PlannedMount): string | undefined {
  const { destination, index } = mount;
  if (code === 'ENOENT' && mount.kind === 'bind') {
    return `Create ${mount.source} on the host, or correct mounts[${index}].source.`;
  }
  if (code === 'EPERM' && mount.kind === 'filesystem') {
    const type = shownNamespaces.get(mount.fstype);
    if (type === undefined) return undefined;
    const orBind =
      type === 'network' ? ', or bind the /sys of the host, as rootlessSpec() does' : '';
    return `A ${mount.fstype} shows a ${type} namespace, which must belong to the user namespace of the container: add {"type": "${type}"} to linux.namespaces${orBind}.`;
  }
  if (code === 'EROFS')
    return `Create ${destination} in the root file system: it is read-only here.`;
  if (code === 'ENODEV') return 'The kernel does not know this file system; see /proc/filesystems.';
  if (code === 'ELOOP' && mount.kind === 'filesystem' && mount.noLinks === true) {
    return `${destination} in the root file system must be an ordinary directory, and no link on the way there.`;
  }
  if (code === 'ELOOP')
    return `Links on the way to ${destination} in the root file system go in a circle.`;
  if (code === 'EINVAL' && mount.kind === 'remount') {
    return `Nothing is mounted at ${destination} by an earlier entry of mounts.`;
  }
  // move_mount(2) says EINVAL where mount(2) says ENOTDIR.
  if (code === 'ENOTDIR' || (code === 'EINVAL' && syscall === 'move_mount')) {
    return `${destination} in the root file system and what is mounted there must both be directories, or both files.`;
  }
  return undefined;
}
