import { type BigIntStats, fstatSync } from 'node:fs';
import { type FdLike, fdNumber } from '@pilotlight/scm-rights';

/** What a descriptor refers to, by the names that messages use. */
export type FileKind = 'file' | 'directory' | 'fifo' | 'socket' | 'device' | 'link';

/** The kind of an inode; character and block devices are both `device`. */
export function fileKind(stats: BigIntStats): FileKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isSymbolicLink() ? 'link' : 'device';
}

/** fstat(2), which an O_PATH descriptor allows as well. */
export function statFd(fd: FdLike): BigIntStats {
  return fstatSync(fdNumber(fd), { bigint: true });
}

/** Whether an open descriptor is of that kind. */
export function isKind(fd: FdLike, kind: FileKind): boolean {
  return fileKind(statFd(fd)) === kind;
}
