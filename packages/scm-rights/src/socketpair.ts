import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from './libc/constants.ts';
import { socketpair as socketpairFds } from './libc/socketpair.ts';
import { OwnedFd } from './owned-fd.ts';

/** Packets with an end of file; a byte stream; packets without connection. */
export type SocketType = 'seqpacket' | 'stream' | 'dgram';

const TYPES: Readonly<Record<SocketType, number>> = {
  seqpacket: SOCK_SEQPACKET,
  stream: SOCK_STREAM,
  dgram: SOCK_DGRAM,
};

/** Two connected, blocking, close-on-exec unix(7) sockets; `socketpair(2)`. The caller closes both. Throws SyscallError. */
export function socketpair(type: SocketType): [OwnedFd, OwnedFd] {
  const [a, b] = socketpairFds(TYPES[type]);
  return [new OwnedFd(a, `${type} socket`), new OwnedFd(b, `${type} socket`)];
}
