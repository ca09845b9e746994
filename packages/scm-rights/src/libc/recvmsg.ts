import { decodeDescriptors } from '../cmsg/decode.ts';
import { InvalidArgumentError, syscallError } from '../errors.ts';
import { close } from './close.ts';
import { MSG_CMSG_CLOEXEC, SCM_MAX_FD } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';
import { msghdrToReceive, receivedMsghdr } from './msghdr.ts';

const call = lazyFunction('recvmsg', 'long', ['int', 'void *', 'int']);

export interface RecvmsgOptions {
  /** Added to MSG_CMSG_CLOEXEC, which is always set. */
  flags?: number;
  /** Room for descriptors, 0 to 253. The kernel drops what does not fit and says so by MSG_CTRUNC. */
  maxFds?: number;
  /** Ask who sent it, on a datagram socket. */
  wantsFrom?: boolean;
}

export interface ReceivedMessage {
  /** Bytes received; with MSG_TRUNC in the options' flags, the packet's whole length. 0 is end of file. */
  length: number;
  /** Descriptors received, close-on-exec. The caller closes them. */
  fds: number[];
  /** Flags of the message: look for MSG_TRUNC and MSG_CTRUNC. */
  flags: number;
  /** With `wantsFrom`: the sender's `struct sockaddr_un`, of no bytes if it has no address. */
  from?: Uint8Array;
}

/**
 * Receives into `bytes` with `recvmsg(2)`. Blocks or fails with EAGAIN as the socket is set.
 *
 * Throws SyscallError, and InvalidArgumentError for an impossible `maxFds`.
 */
export function recvmsg(
  fd: number,
  bytes: Uint8Array,
  options: RecvmsgOptions = {},
): ReceivedMessage {
  const received = tryRecvmsg(fd, bytes, options);
  if (typeof received === 'number') throw syscallError(received, 'recvmsg', fd);
  return received;
}

/** {@link recvmsg} that returns the negative errno instead of throwing it. */
export function tryRecvmsg(
  fd: number,
  bytes: Uint8Array,
  options: RecvmsgOptions = {},
): ReceivedMessage | number {
  const maxFds = options.maxFds ?? SCM_MAX_FD;
  if (!Number.isInteger(maxFds) || maxFds < 0 || maxFds > SCM_MAX_FD) {
    throw new InvalidArgumentError('maxFds', `an integer from 0 to ${SCM_MAX_FD}`, String(maxFds));
  }
  const flags = MSG_CMSG_CLOEXEC | (options.flags ?? 0);
  const length = attempt(call(), fd, msghdrToReceive(bytes, maxFds, options.wantsFrom), flags);
  if (length < 0) return length;
  const header = receivedMsghdr();
  const { rights, added } = decodeDescriptors(header.control);
  // SO_PASSPIDFD makes the kernel add descriptors that nobody here asked for.
  for (const extra of added) close(extra);
  const received = { length, fds: rights, flags: header.flags };
  return options.wantsFrom === true ? { ...received, from: header.name.slice() } : received;
}
