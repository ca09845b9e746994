import type { PlannedBind, PlannedRemount, PlannedRootfs } from '../../config/init-config.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  PROC_SUPER_MAGIC,
  S_IFDIR,
  S_IFMT,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attach, changeAttributes, changePropagation } from './attach.ts';
import { openMountSource } from './mount-source.ts';
import { openMountTarget } from './mount-target.ts';

/** Where the mounts go and where their sources come from. */
export type MountPlaces = {
  root: number;
  fds: { sync: number };
  rootfs: PlannedRootfs;
};

/** @returns the descriptor of the mount, which the caller owns */
export function mountBind(sys: Syscall, places: MountPlaces, mount: PlannedBind): number {
  const { tree, fromParent } = openMountSource(sys, places.fds, mount);
  if (fromParent) cutFromParent(sys, places.rootfs, tree);
  // While the clone is attached nowhere: nobody can ever see it with wider attributes.
  changeAttributes(sys, tree, mount.attributes, false);
  changeAttributes(sys, tree, mount.recursiveAttributes, true);
  if (mount.onlyProc === true) requireProcfs(sys, tree, mount.source);
  const isDirectory = (sys.statx(tree, '', AT_EMPTY_PATH).mode & S_IFMT) === S_IFDIR;
  const kind = isDirectory ? 'directory' : 'file';
  const target = openMountTarget(sys, places.root, mount.destination, kind);
  attach(sys, tree, target.fd, mount.destination, mount.propagation);
  return tree;
}

/** @returns the descriptor of the mount, which the caller owns */
export function remount(sys: Syscall, root: number, mount: PlannedRemount): number {
  const { fd } = openMountTarget(sys, root, mount.destination, 'directory');
  changeAttributes(sys, fd, mount.attributes, false);
  changeAttributes(sys, fd, mount.recursiveAttributes, true);
  changePropagation(sys, fd, mount.propagation);
  return fd;
}

/** What is cloned in this namespace was cut off with it; a clone of the parent's was not. */
function cutFromParent(sys: Syscall, { propagation }: PlannedRootfs, tree: number): void {
  sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, { set: 0, clear: 0, propagation });
}

function requireProcfs(sys: Syscall, tree: number, source: string): void {
  if (sys.filesystemType(tree, source) === PROC_SUPER_MAGIC) return;
  throw new Error(`only a procfs may be bound to /proc, and ${source} is none`);
}
