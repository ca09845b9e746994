import type { UnixAddress } from '../address/unix-address.ts';
import { SOCK_STREAM } from '../libc/constants.ts';
import { UnixStream, type UnixStreamOptions } from '../stream/unix-stream.ts';
import { connectSocket } from './connect-socket.ts';

/**
 * Connects to a listening stream socket; unix(7). Never blocks the event loop.
 *
 * Throws SyscallError (ENOENT, ECONNREFUSED), SocketAddressError, InvalidStringError, the signal's reason.
 */
export async function connectStream(
  address: UnixAddress,
  options: UnixStreamOptions & { signal?: AbortSignal | undefined } = {},
): Promise<UnixStream> {
  const { signal, ...rest } = options;
  return new UnixStream(await connectSocket(SOCK_STREAM, address, signal), rest);
}
