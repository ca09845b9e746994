import { type FdLike, fdNumber } from '@pilotlight/scm-rights';
import {
  fcntlGetfl,
  fcntlSetfl,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  sendmsg,
} from '@pilotlight/scm-rights/libc';

/** Sets O_NONBLOCK on the open file, for every descriptor of it; fcntl(2). */
export function setNonBlocking(fd: FdLike): void {
  const number = fdNumber(fd);
  fcntlSetfl(number, fcntlGetfl(number) | O_NONBLOCK);
}

/** Sends on a stream socket without SIGPIPE. Returns how many bytes were taken. @throws SyscallError */
export function write(socket: FdLike, bytes: Uint8Array): number {
  return sendmsg(fdNumber(socket), bytes, { flags: MSG_NOSIGNAL });
}
