import { encodeUnixAddress, type UnixAddress } from '../address/unix-address.ts';
import { syscallError } from '../errors.ts';
import { tryConnect } from '../libc/connect.ts';
import { SOCK_NONBLOCK } from '../libc/constants.ts';
import { EAGAIN } from '../libc/errno.ts';
import { socket } from '../libc/socket.ts';
import { OwnedFd } from '../owned-fd.ts';
import { pause } from '../pause.ts';

const LONGEST_DELAY_MS = 50;

/**
 * A non-blocking socket of a `SOCK_…` type, connected to `address`. The caller closes it.
 *
 * While the listener's queue is full it tries again after 1 to 50 ms: the kernel tells nobody when there is room. Throws
 * SyscallError (ENOENT, ECONNREFUSED, EPROTOTYPE: it is of another type), SocketAddressError, the signal's reason.
 */
export async function connectSocket(
  type: number,
  address: UnixAddress,
  signal: AbortSignal | undefined,
): Promise<OwnedFd> {
  const sockaddr = encodeUnixAddress(address);
  signal?.throwIfAborted();
  const owned = new OwnedFd(socket(type | SOCK_NONBLOCK), `socket connected to ${address}`);
  try {
    for (let delayMs = 1; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
      const result = tryConnect(owned.fd, sockaddr);
      if (result >= 0) return owned;
      if (result !== -EAGAIN) throw syscallError(result, 'connect', address);
      await pause(delayMs, signal);
    }
  } catch (error) {
    owned.close();
    throw error;
  }
}
