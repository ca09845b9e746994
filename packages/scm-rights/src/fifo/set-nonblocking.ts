import { type FdLike, fdNumber } from '../fd-like.ts';
import { O_NONBLOCK } from '../libc/constants.ts';
import { fcntlGetfl, fcntlSetfl } from '../libc/fcntl.ts';

/** Makes reads and writes fail with EAGAIN instead of waiting, for every process that shares the open file; fcntl(2), O_NONBLOCK. Throws SyscallError. */
export function setNonblocking(fd: FdLike): void {
  const number = fdNumber(fd);
  fcntlSetfl(number, fcntlGetfl(number) | O_NONBLOCK);
}
