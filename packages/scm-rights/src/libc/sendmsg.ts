import { syscallError, TooManyFdsError } from '../errors.ts';
import { MSG_NOSIGNAL, SCM_MAX_FD } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';
import { msghdrToSend } from './msghdr.ts';

const call = lazyFunction('sendmsg', 'long', ['int', 'void *', 'int']);

export interface SendmsgOptions {
  /** Descriptors to pass, at most 253. The receiver gets its own copies; these stay open here. */
  fds?: readonly number[];
  /** Added to MSG_NOSIGNAL, which is always set. */
  flags?: number;
  /** The receiver's `struct sockaddr_un`, for a datagram socket that is not connected to it. */
  to?: Uint8Array;
}

/**
 * Sends bytes and descriptors with `sendmsg(2)`. Returns how many bytes were taken.
 *
 * Blocks or fails with EAGAIN as the socket is set. At least one byte must go along with descriptors.
 * Throws SyscallError, TooManyFdsError.
 */
export function sendmsg(fd: number, bytes: Uint8Array, options: SendmsgOptions = {}): number {
  const result = trySendmsg(fd, bytes, options);
  if (result < 0) throw syscallError(result, 'sendmsg', fd);
  return result;
}

/** {@link sendmsg} that returns the negative errno instead of throwing it. */
export function trySendmsg(fd: number, bytes: Uint8Array, options: SendmsgOptions = {}): number {
  const fds = options.fds ?? [];
  if (fds.length > SCM_MAX_FD) throw new TooManyFdsError(fds.length, SCM_MAX_FD);
  const header = msghdrToSend(bytes, fds, options.to);
  return attempt(call(), fd, header, MSG_NOSIGNAL | (options.flags ?? 0));
}
