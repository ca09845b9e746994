import { isSyscallError } from '@pilotlight/scm-rights';
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

/** linux/magic.h */
export const PROC_SUPER_MAGIC = 0x9fa0;

/** Never leaves the procfs it starts in, whatever is mounted on parts of it. */
const withinProcfs = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;

/** A procfs that was proven to be one. */
export type Procfs = {
  /** Writes one file with one write(2), as the kernel wants it. Paths are relative: `sys/net/…`. */
  write(path: string, text: string): void;
  read(path: string): string;
};

/**
 * Gives `use` the /proc of this mount namespace if it is a procfs, and otherwise a procfs of this
 * process's pid namespace that is mounted nowhere. Files that something is mounted on, which a container
 * could have arranged to catch what is written (CVE-2019-16884, CVE-2025-52881), are looked for in
 * the latter as well. Both are closed again.
 *
 * `self` and `thread-self` are symbolic links of procfs itself and may begin a path; no other link is
 * followed.
 */
export function withProcfs<T>(sys: Syscall, use: (procfs: Procfs) => T): T {
  const mounted = openMountedProcfs(sys);
  let detached: number | undefined;
  const openInMounted = (path: string, flags: number): number | undefined => {
    if (mounted === undefined) return undefined;
    try {
      return openWithin(sys, mounted, path, flags);
    } catch (error) {
      // Something is mounted on the way, or makes it read-only.
      if (isSyscallError(error, 'EXDEV') || isSyscallError(error, 'EROFS')) return undefined;
      throw error;
    }
  };
  const open = (path: string, flags: number): number =>
    openInMounted(path, flags) ??
    openWithin(sys, (detached ??= openDetachedProcfs(sys)), path, flags);
  const result = use({
    read(path) {
      const fd = open(path, O_RDONLY);
      const text = new TextDecoder().decode(sys.readAll(fd, `/proc/${path}`));
      sys.close(fd);
      return text;
    },
    write(path, text) {
      const fd = open(path, O_WRONLY);
      sys.writeAll(fd, new TextEncoder().encode(text), `/proc/${path}`);
      sys.close(fd);
    },
  });
  // Not in a finally: a failure ends the child, and what is open with it.
  if (detached !== undefined) sys.close(detached);
  if (mounted !== undefined) sys.close(mounted);
  return result;
}

function openMountedProcfs(sys: Syscall): number | undefined {
  let fd: number;
  try {
    fd = sys.openat2(AT_FDCWD, '/proc', O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  } catch (error) {
    const codes = ['ENOENT', 'ENOTDIR', 'ELOOP'];
    if (isSyscallError(error) && codes.includes(error.code)) return undefined;
    throw error;
  }
  if (sys.filesystemType(fd, '/proc') === PROC_SUPER_MAGIC) return fd;
  sys.close(fd);
  return undefined;
}

/** fsopen(2) and fsmount(2) without move_mount(2): nobody else can reach it. */
function openDetachedProcfs(sys: Syscall): number {
  const context = sys.fsopen('proc');
  sys.fsconfigCreate(context, 'proc');
  const root = sys.fsmount(context, 0, 'proc');
  sys.close(context);
  return root;
}

function openWithin(sys: Syscall, root: number, path: string, flags: number): number {
  const startsAtItself = /^(thread-)?self\//.exec(path);
  if (startsAtItself === null) {
    return sys.openat2(root, path, flags, withinProcfs | RESOLVE_NO_SYMLINKS);
  }
  // In two steps, so that no link but the first can be one.
  const [own] = startsAtItself;
  const directory = sys.openat2(root, own, O_PATH | O_DIRECTORY, withinProcfs);
  const fd = sys.openat2(
    directory,
    path.slice(own.length),
    flags,
    withinProcfs | RESOLVE_NO_SYMLINKS,
  );
  sys.close(directory);
  return fd;
}
