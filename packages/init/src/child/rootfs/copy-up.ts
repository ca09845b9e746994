import { isSyscallError } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  O_DIRECTORY,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

/** One name, in a directory that is open: never out of it, and never onto another mount. */
const oneName = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
const permissions = 0o7777;
const setIdBits = 0o6000;

/**
 * Copies what a directory holds into another one: directories, files, links, devices and FIFOs with
 * their modes and owners. What is mounted below the directory is not part of it. No path is ever
 * resolved but single names in open directories.
 *
 * Neither times nor extended attributes are kept, as under runc; hard links become files.
 *
 * @param from any descriptor of the directory, which may be an O_PATH one
 */
export function copyUp(sys: Syscall, from: number, to: number): void {
  copyEntries(sys, openDirectory(sys, from, '.'), openDirectory(sys, to, '.'), '.');
}

/** Closes both. */
function copyEntries(sys: Syscall, from: number, to: number, path: string): void {
  for (const name of sys.readDirectory(from, path))
    copyEntry(sys, from, to, name, `${path}/${name}`);
  sys.close(from);
  sys.close(to);
}

function copyEntry(sys: Syscall, from: number, to: number, name: string, path: string): void {
  const source = sys.openat2(from, name, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  const { mode, deviceMajor, deviceMinor } = sys.statx(source, '', AT_EMPTY_PATH);
  const { uid, gid } = sys.ownerOf(source, path);
  sys.close(source);
  switch (mode & S_IFMT) {
    case S_IFDIR:
      sys.mkdirat(to, name, mode & permissions);
      own(sys, to, name, uid, gid, path);
      copyDirectory(sys, from, to, name, mode, path);
      return;
    case S_IFLNK:
      sys.symlinkat(sys.readlinkat(from, name), to, name);
      return own(sys, to, name, uid, gid, path);
    case S_IFREG:
      return copyFile(sys, from, to, name, { mode, uid, gid }, path);
    default:
      // A device, a FIFO, or a socket, which becomes one that nobody listens on.
      sys.mknodat(to, name, mode, deviceMajor, deviceMinor);
      return own(sys, to, name, uid, gid, path);
  }
}

/** A mount point becomes an empty directory: what is mounted there is not the image's. */
function copyDirectory(
  sys: Syscall,
  from: number,
  to: number,
  name: string,
  mode: number,
  path: string,
): void {
  let source: number;
  try {
    source = openDirectory(sys, from, name);
  } catch (error) {
    if (isSyscallError(error, 'EXDEV')) return;
    throw error;
  }
  copyEntries(sys, source, openDirectory(sys, to, name), path);
  // chown(2) has taken set-id bits away.
  if ((mode & setIdBits) === 0) return;
  const made = openDirectory(sys, to, name);
  sys.chmodFile(made, mode & permissions, path);
  sys.close(made);
}

function copyFile(
  sys: Syscall,
  from: number,
  to: number,
  name: string,
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
  path: string,
): void {
  // O_NONBLOCK: whatever has taken the file's place meanwhile must not hold us.
  const source = sys.openat2(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, oneName);
  if ((sys.statx(source, '', AT_EMPTY_PATH).mode & S_IFMT) !== S_IFREG) {
    throw new Error(`${path} is no regular file any more`);
  }
  const copy = sys.createFile(to, name, mode & permissions);
  sys.copyContents(source, copy, path);
  sys.close(source);
  if (uid !== 0 || gid !== 0) sys.chownFile(copy, uid, gid, path);
  // After the owner, and after the contents: both take set-id bits away.
  if ((mode & setIdBits) !== 0) sys.chmodFile(copy, mode & permissions, path);
  sys.close(copy);
}

/** A new file belongs to root. */
function own(sys: Syscall, to: number, name: string, uid: number, gid: number, path: string): void {
  if (uid === 0 && gid === 0) return;
  const made = sys.openat2(to, name, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  sys.chownFile(made, uid, gid, path);
  sys.close(made);
}

function openDirectory(sys: Syscall, directory: number, name: string): number {
  return sys.openat2(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, oneName);
}
