import { type FdLike, fdNumber } from '../fd-like.ts';
import { ONLCR } from '../libc/constants.ts';
import { clearOutputFlags } from '../libc/termios.ts';

/**
 * Makes a terminal pass on each newline as it is, instead of with a carriage return before it; ONLCR of termios(3). For a
 * master whose output is copied to a terminal, which adds its own. Throws SyscallError: ENOTTY for anything else.
 */
export function clearOnlcr(fd: FdLike): void {
  clearOutputFlags(fdNumber(fd), ONLCR);
}
