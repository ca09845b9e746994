import type { UnixAddress } from '../address/unix-address.ts';
import { SOCK_SEQPACKET } from '../libc/constants.ts';
import { OwnedFd } from '../owned-fd.ts';
import { SeqpacketSocket } from '../seqpacket-socket.ts';
import { ListeningSocket, type ListenOptions } from './listening-socket.ts';
import { UnixServer } from './unix-server.ts';

/**
 * Listens for packet connections at an address, or on a socket that listens already and is taken over; unix(7).
 *
 * Throws SyscallError (EADDRINUSE: a file or a listener is there), SocketAddressError, InvalidStringError, SocketTypeError.
 */
export function listenSeqpacket(
  where: UnixAddress | OwnedFd,
  options: ListenOptions = {},
): UnixServer<SeqpacketSocket> {
  const listening =
    where instanceof OwnedFd
      ? ListeningSocket.adopt(SOCK_SEQPACKET, where, options)
      : ListeningSocket.bind(SOCK_SEQPACKET, where, options);
  const { readiness } = options;
  return new UnixServer(
    listening,
    (owned) => new SeqpacketSocket(owned, readiness === undefined ? {} : { readiness }),
  );
}
