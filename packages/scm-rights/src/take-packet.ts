import { closeAll } from './close-all.ts';
import { ControlTruncatedError, PacketTruncatedError, syscallError } from './errors.ts';
import { MSG_CTRUNC, MSG_TRUNC } from './libc/constants.ts';
import { EAGAIN, ECONNRESET } from './libc/errno.ts';
import { tryPeekLength } from './libc/recv.ts';
import { tryRecvmsg } from './libc/recvmsg.ts';
import { OwnedFd } from './owned-fd.ts';

/** One packet and the descriptors that came with it, close-on-exec. Whoever receives it closes them. */
export interface Packet {
  bytes: Uint8Array;
  fds: OwnedFd[];
}

/** Length of the next packet of a non-blocking socket, or undefined if none is there. Throws SyscallError. */
export function peekLength(fd: number): number | undefined {
  for (;;) {
    const length = tryPeekLength(fd);
    // Reported once, and what the peer sent before comes before or after it: ask again.
    if (length === -ECONNRESET) continue;
    if (length === -EAGAIN) return undefined;
    if (length < 0) throw syscallError(length, 'recv', fd);
    return length;
  }
}

/**
 * Receives the next packet, which has `length` bytes, and with `wantsFrom` the sender's `struct sockaddr_un`; undefined if
 * another process that shares the socket was faster.
 *
 * Throws ControlTruncatedError, PacketTruncatedError (all descriptors closed), SyscallError.
 */
export function takePacket(
  fd: number,
  length: number,
  maxFds: number,
  wantsFrom = false,
): (Packet & { from?: Uint8Array }) | undefined {
  const bytes = new Uint8Array(length);
  const received = tryRecvmsg(fd, bytes, { maxFds, wantsFrom });
  if (typeof received === 'number') {
    if (received === -EAGAIN) return undefined;
    throw syscallError(received, 'recvmsg', fd);
  }
  // Owned before anything is checked: from here on every failure closes them all.
  const fds = received.fds.map((number) => new OwnedFd(number, 'received descriptor'));
  const failure = checkWhole(fd, length, maxFds, received);
  if (failure !== undefined) {
    closeAll(fds);
    throw failure;
  }
  return received.from === undefined ? { bytes, fds } : { bytes, fds, from: received.from };
}

function checkWhole(
  fd: number,
  expected: number,
  maxFds: number,
  received: { length: number; fds: readonly number[]; flags: number },
): Error | undefined {
  if ((received.flags & MSG_CTRUNC) !== 0) {
    return new ControlTruncatedError(fd, received.fds.length, maxFds);
  }
  if ((received.flags & MSG_TRUNC) !== 0 || received.length !== expected) {
    return new PacketTruncatedError(fd, expected, received.length);
  }
  return undefined;
}
