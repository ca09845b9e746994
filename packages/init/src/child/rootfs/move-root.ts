import { isSyscallError } from '@pilotlight/scm-rights';
import { MS_SLAVE } from '../../plan/mount-options.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MNT_DETACH,
  O_PATH,
  O_RDONLY,
  RESOLVE_NO_SYMLINKS,
  UMOUNT_NOFOLLOW,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';

/**
 * Moves `root` over the root of this mount namespace and changes into it with chroot(2): for a host
 * that runs on its initial ramfs, which pivot_root(2) cannot take off.
 */
export function moveRoot(sys: Syscall, root: number): void {
  // Before the move: afterwards no path leads there, and yet they would be there.
  for (const mountpoint of fullMountsOutside(readMountinfo(sys), sys.mountId(root))) {
    attempting(`take ${mountpoint} off`, {}, () => takeOff(sys, mountpoint));
  }
  const oldRoot = sys.openat2(AT_FDCWD, '/', O_PATH, 0);
  sys.moveMount(root, oldRoot, '/');
  sys.close(oldRoot);
  sys.fchdir(root, 'the new root');
  sys.chroot('.');
  sys.chdir('/');
}

/**
 * The mount points of whole procfs and sysfs instances that do not lie in the mount `root`, the
 * innermost first.
 *
 * The kernel lets a user namespace mount these file systems only while a whole instance can be
 * seen in the mount namespace. The host's would count for a container that was only moved, and
 * let it have a procfs without the masks of its own one.
 *
 * @param root by its number: a path of it may lead through links
 */
export function fullMountsOutside(mountinfo: string, root: number): string[] {
  const mounts = mountinfo
    .split('\n')
    .map((line) => parseMount(line))
    .filter((mount) => mount !== undefined);
  const parents = new Map(mounts.map(({ id, parent }) => [id, parent]));
  const isInside = (id: number): boolean => {
    const seen = new Set<number>();
    for (let at: number | undefined = id; at !== undefined && !seen.has(at); at = parents.get(at)) {
      if (at === root) return true;
      seen.add(at);
    }
    return false;
  };
  return mounts
    .filter(({ id, shown, fstype }) => {
      return shown === '/' && (fstype === 'proc' || fstype === 'sysfs') && !isInside(id);
    })
    .map(({ mountpoint }) => mountpoint)
    .toReversed();
}

type Mount = { id: number; parent: number; shown: string; mountpoint: string; fstype: string };

/** One line of proc_pid_mountinfo(5). */
function parseMount(line: string): Mount | undefined {
  const [before = '', after = ''] = line.split(' - ');
  const [id, parent, , shown, mountpoint] = before.split(' ');
  if (shown === undefined || mountpoint === undefined) return undefined;
  const [fstype = ''] = after.split(' ');
  return {
    id: Number(id),
    parent: Number(parent),
    shown,
    mountpoint: unescapeOctal(mountpoint),
    fstype,
  };
}

function readMountinfo(sys: Syscall): string {
  const path = '/proc/self/mountinfo';
  const fd = sys.openat2(AT_FDCWD, path, O_RDONLY, 0);
  const text = new TextDecoder().decode(sys.readAll(fd, path));
  sys.close(fd);
  return text;
}

function takeOff(sys: Syscall, path: string): void {
  let mount: number;
  try {
    mount = sys.openat2(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS);
  } catch (error) {
    // Gone together with a mount that it lay in.
    if (isSyscallError(error, 'ENOENT')) return;
    throw error;
  }
  const cutOff = { set: 0, clear: 0, propagation: MS_SLAVE };
  sys.mountSetattr(mount, '', AT_EMPTY_PATH | AT_RECURSIVE, cutOff);
  try {
    sys.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  } catch (error) {
    // Locked by the user namespace it comes from: it can be covered, and does not count then.
    if (!isSyscallError(error, 'EINVAL') && !isSyscallError(error, 'EPERM')) throw error;
    cover(sys, mount, path);
  }
  sys.close(mount);
}

function cover(sys: Syscall, mount: number, path: string): void {
  const context = sys.fsopen('tmpfs');
  sys.fsconfigCreate(context, 'tmpfs');
  const tree = sys.fsmount(context, 0, 'tmpfs');
  sys.moveMount(tree, mount, path);
  sys.close(context);
  sys.close(tree);
}

/** Blank, tab, newline and backslash are written as octal escapes in mountinfo. */
const unescapeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
