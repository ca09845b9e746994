import type { SyscallError } from '@pilotlight/scm-rights';
import type { PlannedBind, PlannedFilesystem, PlannedMount } from '../../config/init-config.ts';
import { MOUNT_ATTR_RDONLY, type PropagationChange } from '../../plan/mount-options.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
  S_IFDIR,
  S_IFMT,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';
import { openMountTarget } from './mount-target.ts';

/**
 * Makes the mounts of the configuration in its order; later ones may lie inside earlier ones. What
 * is to be sealed stays writable until `sealMounts`.
 */
export function makeMounts(sys: Syscall, root: number, mounts: readonly PlannedMount[]): void {
  runEach(
    sys,
    root,
    mounts.filter(({ kind }) => kind !== 'seal'),
  );
}

/** Makes mounts read-only that had to be filled first. After the pivot: `root` is the new one. */
export function sealMounts(sys: Syscall, root: number, mounts: readonly PlannedMount[]): void {
  runEach(
    sys,
    root,
    mounts.filter(({ kind }) => kind === 'seal'),
  );
}

function runEach(sys: Syscall, root: number, mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) {
    const { index, destination } = mount;
    attempting(describe(mount), { index, hint: (error) => hintFor(error, mount) }, () => {
      switch (mount.kind) {
        case 'filesystem':
          return mountFilesystem(sys, root, mount);
        case 'bind':
          return mountBind(sys, root, mount);
        case 'symlink':
          return sys.symlinkat(mount.target, root, destination.slice(1));
        case 'seal':
          return sealMount(sys, root, destination);
      }
    });
  }
}

function mountFilesystem(sys: Syscall, root: number, mount: PlannedFilesystem): void {
  const context = sys.fsopen(mount.fstype);
  sys.fsconfigString(context, 'source', mount.source);
  for (const flag of mount.superblockFlags) sys.fsconfigFlag(context, flag);
  for (const [key, value] of mount.parameters) {
    if (value === null) sys.fsconfigFlag(context, key);
    else sys.fsconfigString(context, key, value);
  }
  sys.fsconfigCreate(context, mount.fstype);
  const tree = sys.fsmount(context, mount.attributes, mount.fstype);
  sys.close(context);
  attach(sys, root, tree, mount.destination, 'directory', mount.propagation);
}

function mountBind(sys: Syscall, root: number, mount: PlannedBind): void {
  const recursive = mount.recursive ? AT_RECURSIVE : 0;
  const tree = sys.openTree(
    AT_FDCWD,
    mount.source,
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive,
  );
  // While the clone is attached nowhere: nobody can ever see it with wider attributes.
  const { attributes, recursiveAttributes } = mount;
  if (attributes.set !== 0 || attributes.clear !== 0) {
    sys.mountSetattr(tree, '', AT_EMPTY_PATH, { ...attributes, propagation: 0 });
  }
  if (recursiveAttributes.set !== 0 || recursiveAttributes.clear !== 0) {
    sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, {
      ...recursiveAttributes,
      propagation: 0,
    });
  }
  const isDirectory = (sys.statx(tree, '', AT_EMPTY_PATH).mode & S_IFMT) === S_IFDIR;
  attach(sys, root, tree, mount.destination, isDirectory ? 'directory' : 'file', mount.propagation);
}

function attach(
  sys: Syscall,
  root: number,
  tree: number,
  destination: string,
  kind: 'directory' | 'file',
  propagation: readonly PropagationChange[],
): void {
  const target = openMountTarget(sys, root, destination, kind);
  sys.moveMount(tree, target, destination);
  sys.close(target);
  for (const change of propagation) {
    sys.mountSetattr(tree, '', AT_EMPTY_PATH | (change.recursive ? AT_RECURSIVE : 0), {
      set: 0,
      clear: 0,
      propagation: change.propagation,
    });
  }
  sys.close(tree);
}

function sealMount(sys: Syscall, root: number, destination: string): void {
  const mounted = sys.openat2(root, destination, O_PATH, RESOLVE_IN_ROOT);
  sys.mountSetattr(mounted, '', AT_EMPTY_PATH, {
    set: MOUNT_ATTR_RDONLY,
    clear: 0,
    propagation: 0,
  });
  sys.close(mounted);
}

function describe(mount: PlannedMount): string {
  return `${attemptOf(mount)} at ${mount.destination} (mounts[${mount.index}])`;
}

function attemptOf(mount: PlannedMount): string {
  if (mount.kind === 'filesystem') return `mount ${mount.fstype}`;
  if (mount.kind === 'bind') return `bind ${mount.source}`;
  return mount.kind === 'symlink' ? `link to ${mount.target}` : 'make the mount read-only';
}

function hintFor({ code, syscall }: SyscallError, mount: PlannedMount): string | undefined {
  if (code === 'ENOENT' && mount.kind === 'bind') {
    return `Create ${mount.source} on the host, or correct mounts[${mount.index}].source.`;
  }
  if (code === 'EROFS') {
    return `Create ${mount.destination} in the root file system: it is read-only here.`;
  }
  if (code === 'ENODEV') return 'The kernel does not know this file system; see /proc/filesystems.';
  // move_mount(2) says EINVAL where mount(2) says ENOTDIR.
  if (code === 'ENOTDIR' || (code === 'EINVAL' && syscall === 'move_mount')) {
    return `${mount.destination} in the root file system and what is mounted there must both be directories, or both files.`;
  }
  if (code === 'EEXIST') {
    return `On the way to ${mount.destination} the root file system has a link that leads nowhere inside it: make its target, or remove it.`;
  }
  return undefined;
}
