import { InvalidArgumentError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { ioctlGetWindowSize, ioctlSetWindowSize } from '../libc/window-size.ts';

/** Rows and columns of a terminal, each 0 to 65535; 0 means unknown. */
export interface WindowSize {
  rows: number;
  columns: number;
}

/** The size of a terminal, from either end of a pty; ioctl_tty(2). Throws SyscallError: ENOTTY for anything else. */
export function getWindowSize(fd: FdLike): WindowSize {
  return ioctlGetWindowSize(fdNumber(fd));
}

/**
 * Sets the size of a terminal, from either end of a pty; ioctl_tty(2). If it changed, the processes in its foreground get
 * SIGWINCH. Throws InvalidArgumentError, SyscallError: ENOTTY for anything that is no terminal.
 */
export function setWindowSize(fd: FdLike, { rows, columns }: WindowSize): void {
  for (const [what, value] of Object.entries({ rows, columns })) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
      throw new InvalidArgumentError(what, 'an integer from 0 to 65535', String(value));
    }
  }
  ioctlSetWindowSize(fdNumber(fd), rows, columns);
}
