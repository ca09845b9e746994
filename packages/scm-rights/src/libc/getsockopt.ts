import {
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_PEERCRED,
  SO_PEERPIDFD,
  SO_TYPE,
  SOL_SOCKET,
} from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);

/** The `SOCK_…` type of a socket; `getsockopt(2)`. ENOTSOCK for anything else. */
export function socketType(fd: number): number {
  return socketOption(fd, SO_TYPE);
}

/** The `AF_…` family of a socket; `getsockopt(2)`. */
export function socketDomain(fd: number): number {
  return socketOption(fd, SO_DOMAIN);
}

/** Whether others can connect to the socket; `getsockopt(2)`. */
export function isListening(fd: number): boolean {
  return socketOption(fd, SO_ACCEPTCONN) !== 0;
}

/** Who connected, made the pair, or listens: `struct ucred` as of that moment; SO_PEERCRED of unix(7). */
export function peerCredentials(fd: number): { pid: number; uid: number; gid: number } {
  const value = new Int32Array(3);
  invoke(
    'getsockopt SO_PEERCRED',
    fd,
    call(),
    fd,
    SOL_SOCKET,
    SO_PEERCRED,
    value,
    new Uint32Array([12]),
  );
  // User and group numbers are unsigned.
  return { pid: value[0]!, uid: value[1]! >>> 0, gid: value[2]! >>> 0 };
}

/** A pidfd of that process, close-on-exec; SO_PEERPIDFD, Linux 6.5, of a reaped process since 6.16. The caller closes it. */
export function peerPidfd(fd: number): number {
  return socketOption(fd, SO_PEERPIDFD, 'getsockopt SO_PEERPIDFD');
}

function socketOption(fd: number, option: number, syscall = 'getsockopt'): number {
  const value = new Int32Array(1);
  invoke(syscall, fd, call(), fd, SOL_SOCKET, option, value, new Uint32Array([4]));
  return value[0]!;
}
