import type { BorrowedFd } from './borrowed-fd.ts';
import { InvalidFdError } from './errors.ts';
import type { OwnedFd } from './owned-fd.ts';

/** Whatever has a descriptor number. A plain number must stay open for as long as it is used. */
export type FdLike = OwnedFd | BorrowedFd | number;

/** The number of `fd`. Throws FdClosedError, InvalidFdError. */
export function fdNumber(fd: FdLike): number {
  const number = typeof fd === 'number' ? fd : fd.fd;
  if (!Number.isInteger(number) || number < 0 || number > 0x7fffffff) {
    throw new InvalidFdError(number);
  }
  return number;
}
