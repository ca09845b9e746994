import { type FdLike, fdNumber } from '../fd-like.ts';
import {
  peerCredentials as peerCredentialsOf,
  peerPidfd as peerPidfdOf,
} from '../libc/getsockopt.ts';
import { OwnedFd } from '../owned-fd.ts';

/** Who is at the other end, in the numbers of this process's namespaces. The pid is no handle: it can be reused. */
export interface PeerCredentials {
  /** 0 if the process is not visible in this pid namespace. */
  pid: number;
  uid: number;
  gid: number;
}

/**
 * Who connected, or who listened when we connected, or who made the socket pair; SO_PEERCRED of unix(7).
 *
 * The kernel recorded it at that moment: the peer may have passed its end on since. Throws SyscallError.
 */
export function peerCredentials(socket: FdLike): PeerCredentials {
  return peerCredentialsOf(fdNumber(socket));
}

/**
 * A pidfd of that process, which cannot be mistaken for another; SO_PEERPIDFD, Linux 6.5. The caller closes it.
 *
 * Throws SyscallError: ENOPROTOOPT on older kernels, ESRCH once the process is reaped (before Linux 6.16), ENODATA if the
 * socket has no peer.
 */
export function peerPidfd(socket: FdLike): OwnedFd {
  return new OwnedFd(peerPidfdOf(fdNumber(socket)), 'pidfd of the peer');
}
