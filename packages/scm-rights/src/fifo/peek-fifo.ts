import { syscallError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { O_NONBLOCK } from '../libc/constants.ts';
import { EAGAIN } from '../libc/errno.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { tryTee } from '../libc/tee.ts';
import { readNow } from '../read-now.ts';

/** Empty between two calls; made once, and kept for the life of the process. */
let copy: [reader: number, writer: number] | undefined;

/**
 * What can be read from a pipe or fifo, without taking it out: `tee(2)`. Returns how many bytes are in `bytes` now, 0 at end of
 * file, or undefined if nothing is there yet. Never blocks.
 *
 * Throws SyscallError: EINVAL for what is no pipe, and SyscallError of pipe2 the first time.
 */
export function peekFifo(fd: FdLike, bytes: Uint8Array): number | undefined {
  copy ??= pipe2(O_NONBLOCK);
  const [reader, writer] = copy;
  const source = fdNumber(fd);
  const copied = tryTee(source, writer, bytes.length);
  if (copied === -EAGAIN) return undefined;
  if (copied < 0) throw syscallError(copied, 'tee', source);
  for (let taken = 0; taken < copied;) taken += readNow(reader, bytes.subarray(taken, copied)) ?? 0;
  return copied;
}
