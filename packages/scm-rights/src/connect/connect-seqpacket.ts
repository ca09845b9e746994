import type { UnixAddress } from '../address/unix-address.ts';
import { SOCK_SEQPACKET } from '../libc/constants.ts';
import type { Readiness } from '../readiness/readiness.ts';
import { SeqpacketSocket } from '../seqpacket-socket.ts';
import { connectSocket } from './connect-socket.ts';

/**
 * Connects to a listening packet socket; unix(7). Never blocks the event loop.
 *
 * Throws SyscallError (ENOENT, ECONNREFUSED), SocketAddressError, InvalidStringError, the signal's reason.
 */
export async function connectSeqpacket(
  address: UnixAddress,
  options: { signal?: AbortSignal | undefined; readiness?: Readiness } = {},
): Promise<SeqpacketSocket> {
  const { signal, ...rest } = options;
  return new SeqpacketSocket(await connectSocket(SOCK_SEQPACKET, address, signal), rest);
}
