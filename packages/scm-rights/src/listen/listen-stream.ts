import type { UnixAddress } from '../address/unix-address.ts';
import { SOCK_STREAM } from '../libc/constants.ts';
import { OwnedFd } from '../owned-fd.ts';
import { UnixStream, type UnixStreamOptions } from '../stream/unix-stream.ts';
import { ListeningSocket, type ListenOptions } from './listening-socket.ts';
import { UnixServer } from './unix-server.ts';

/**
 * Listens for streams at an address, or on a socket that listens already and is taken over; unix(7).
 *
 * Throws SyscallError (EADDRINUSE: a file or a listener is there), SocketAddressError, InvalidStringError, SocketTypeError.
 */
export function listenStream(
  where: UnixAddress | OwnedFd,
  options: ListenOptions & UnixStreamOptions = {},
): UnixServer<UnixStream> {
  const listening =
    where instanceof OwnedFd
      ? ListeningSocket.adopt(SOCK_STREAM, where, options)
      : ListeningSocket.bind(SOCK_STREAM, where, options);
  const { backlog: _backlog, mode: _mode, ...forStreams } = options;
  return new UnixServer(listening, (owned) => new UnixStream(owned, forStreams));
}
