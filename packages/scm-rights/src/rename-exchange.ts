import { RENAME_EXCHANGE } from './libc/constants.ts';
import { renameat2 } from './libc/renameat2.ts';

/**
 * Lets two existing names change places in one step: nobody ever sees one of them missing; `renameat2(2)` with
 * RENAME_EXCHANGE, Linux 3.15, on tmpfs, ext4, xfs, btrfs and others, but not on overlayfs.
 *
 * Throws SyscallError: ENOENT, EXDEV (two mounts), EINVAL (the file system cannot).
 */
export function renameExchange(one: string, other: string): void {
  renameat2(one, other, RENAME_EXCHANGE);
}
