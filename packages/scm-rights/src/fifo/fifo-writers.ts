import { syscallError } from '../errors.ts';
import { closeAll } from '../close-all.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { O_NONBLOCK, POLLHUP } from '../libc/constants.ts';
import { EAGAIN } from '../libc/errno.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { poll } from '../libc/poll.ts';
import { tryTee } from '../libc/tee.ts';

/**
 * What is known of those who write to a fifo, from its reading end: `none` has opened it since this end was opened and nothing
 * is in it, somebody `has` it open or has written, or all who came are `gone`, and nothing is left to read.
 *
 * An open(2) for reading that blocks waits for exactly the end of `none`. Takes nothing out of the fifo, and never blocks.
 * Throws SyscallError: EINVAL for what is no pipe.
 */
export function fifoWriters(fd: FdLike): 'none' | 'has' | 'gone' {
  const reader = fdNumber(fd);
  // Reading would tell as well, and would take a byte from whoever writes at that moment.
  const copy = pipe2(O_NONBLOCK);
  try {
    const copied = tryTee(reader, copy[1], 1);
    if (copied > 0 || copied === -EAGAIN) return 'has';
    if (copied < 0) throw syscallError(copied, 'tee', reader);
    // No writer now. The kernel reports a hang-up only if there was one during this open.
    return (poll(reader, 0, 0) & POLLHUP) === 0 ? 'none' : 'gone';
  } finally {
    closeAll(copy);
  }
}
