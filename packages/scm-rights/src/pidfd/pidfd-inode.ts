import { fstatSync } from 'node:fs';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { PIDFS_MAGIC } from '../libc/constants.ts';
import { fstatfsType } from '../libc/statfs.ts';

/** Whether the descriptor is a pidfd of pidfs, which since Linux 6.9 all are. */
export function isPidfs(fd: FdLike): boolean {
  return fstatfsType(fdNumber(fd)) === PIDFS_MAGIC;
}

/**
 * The number that names this process until the next boot: never reused, the same for each of its pidfds; Linux 6.9.
 *
 * Undefined where pidfds are not on pidfs: there all have the same inode. Throws SyscallError.
 */
export function pidfdInode(pidfd: FdLike): bigint | undefined {
  return isPidfs(pidfd) ? fstatSync(fdNumber(pidfd), { bigint: true }).ino : undefined;
}
