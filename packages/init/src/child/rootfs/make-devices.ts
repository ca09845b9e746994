import { isSyscallError } from '@pilotlight/scm-rights';
import type { InitConfig } from '../../config/init-config.ts';
import type { PlannedDevice } from '../../plan/devices.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_NOFOLLOW,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_NO_SYMLINKS,
  S_IFMT,
} from '../../syscall/constants.ts';
import type { FileStatus, Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';
import { openMountTarget } from './mount-target.ts';

/**
 * Makes the device nodes, and the links in /dev, each by its name in the directory that is open: a
 * link put there by the image cannot lead them elsewhere (CVE-2026-41579).
 */
export function makeDevices(sys: Syscall, root: number, config: InitConfig): void {
  if (config.devices.length === 0) return;
  let directory = '/dev';
  let { fd } = openMountTarget(sys, root, directory, 'directory');
  makeLinks(sys, fd, config.devLinks);
  for (const device of config.devices) {
    const { index } = device;
    const details = { ...(index === undefined ? {} : { index }), hint: hintFor };
    attempting(describe(device), details, () => {
      const slash = device.path.lastIndexOf('/');
      const parent = device.path.slice(0, slash) || '/';
      if (parent !== directory) {
        sys.close(fd);
        ({ fd } = openMountTarget(sys, root, parent, 'directory'));
        directory = parent;
      }
      makeDevice(sys, fd, device.path.slice(slash + 1), device);
    });
  }
  sys.close(fd);
}

const describe = ({ path, index }: PlannedDevice): string =>
  `make device ${path}${index === undefined ? '' : ` (linux.devices[${index}])`}`;

function makeLinks(sys: Syscall, dev: number, links: InitConfig['devLinks']): void {
  for (const [name, target] of links) {
    try {
      sys.symlinkat(target, dev, name);
    } catch (error) {
      if (!isSyscallError(error, 'EEXIST')) throw error;
      // The console is opened there: it must lead to the container's own devpts.
      if (name === 'ptmx') replaceByLink(sys, dev, name, target);
    }
  }
}

function replaceByLink(sys: Syscall, dev: number, name: string, target: string): void {
  try {
    if (sys.readlinkat(dev, name) === target) return;
  } catch (error) {
    if (!isSyscallError(error, 'EINVAL')) throw error;
  }
  sys.unlinkat(dev, name);
  sys.symlinkat(target, dev, name);
}

function makeDevice(sys: Syscall, directory: number, name: string, device: PlannedDevice): void {
  try {
    sys.mknodat(directory, name, device.type | device.mode, device.major, device.minor);
  } catch (error) {
    // The image may bring its own node; it will do if it is the very device.
    if (isSyscallError(error, 'EEXIST')) {
      if (isDevice(sys.statx(directory, name, AT_SYMLINK_NOFOLLOW), device)) return;
      throw error;
    }
    // Only the initial user namespace may make nodes.
    if (isSyscallError(error, 'EPERM')) return bindDevice(sys, directory, name, device);
    throw error;
  }
  if (device.uid === 0 && device.gid === 0) return;
  const node = openNode(sys, directory, name);
  sys.chownFile(node, device.uid, device.gid, device.path);
  sys.close(node);
}

/** Mounts the host's node of the same path, once it is certain that it is the same device. */
function bindDevice(sys: Syscall, directory: number, name: string, device: PlannedDevice): void {
  const tree = sys.openTree(AT_FDCWD, device.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (!isDevice(sys.statx(tree, '', AT_EMPTY_PATH), device)) {
    throw new Error(`${device.path} on the host is another device`);
  }
  try {
    sys.close(sys.createFile(directory, name, 0));
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
  const place = openNode(sys, directory, name);
  sys.moveMount(tree, place, device.path);
  sys.close(place);
  sys.close(tree);
}

const openNode = (sys: Syscall, directory: number, name: string): number =>
  sys.openat2(directory, name, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);

const isDevice = (found: FileStatus, device: PlannedDevice): boolean =>
  (found.mode & S_IFMT) === device.type &&
  found.deviceMajor === device.major &&
  found.deviceMinor === device.minor;

function hintFor({ code, syscall }: { code: string; syscall: string }): string | undefined {
  if (code === 'EEXIST') {
    return 'The root file system has another file of this name: remove it there, or mount a tmpfs over its directory.';
  }
  if (code === 'ENOENT' && syscall === 'open_tree') {
    return 'Without the right to make nodes the one of the host is mounted, and it has none of this path.';
  }
  return undefined;
}
