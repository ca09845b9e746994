import { fstatSync, readSync, writeSync } from 'node:fs';
import { InvalidArgumentError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
} from '../libc/constants.ts';
import { fcntlAddSeals, fcntlGetSeals } from '../libc/fcntl.ts';
import { memfdCreate as memfdCreateFd } from '../libc/memfd-create.ts';
import { OwnedFd } from '../owned-fd.ts';

/** What can no longer be done to a memfd: change it, make it longer, make it shorter, add seals. */
export type Seal = 'write' | 'grow' | 'shrink' | 'seal';

const SEALS: Readonly<Record<Seal, number>> = {
  write: F_SEAL_WRITE,
  grow: F_SEAL_GROW,
  shrink: F_SEAL_SHRINK,
  seal: F_SEAL_SEAL,
};

const ALL: readonly Seal[] = ['write', 'grow', 'shrink', 'seal'];

/**
 * An empty file in memory that can be sealed; `memfd_create(2)`. The caller closes it.
 *
 * `name` is for people who look into /proc, and need not be unique. Throws SyscallError (EINVAL: longer than 249 bytes),
 * InvalidStringError.
 */
export function memfdCreate(name: string): OwnedFd {
  return new OwnedFd(memfdCreateFd(name, MFD_ALLOW_SEALING), `memfd ${name}`);
}

/**
 * A file in memory with these bytes, which nobody can change any more, to pass what does not fit a packet. The caller closes
 * it. Throws as {@link memfdCreate} does; ENOMEM or ENOSPC if there is no room.
 */
export function memfdFrom(name: string, bytes: Uint8Array): OwnedFd {
  const memfd = memfdCreate(name);
  try {
    memfdWrite(memfd, bytes);
    memfdSeal(memfd);
    return memfd;
  } catch (error) {
    memfd.close();
    throw error;
  }
}

/** Writes all bytes at `position`, wherever the file's own offset is, which stays. Throws Node's error: EPERM once sealed. */
export function memfdWrite(memfd: FdLike, bytes: Uint8Array, position = 0): void {
  const fd = fdNumber(memfd);
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

/**
 * All its bytes, wherever the file's own offset is, which stays.
 *
 * Of a memfd that somebody else sent, ask {@link memfdSeals} for `write` and `shrink` first: until then it can change while it
 * is read. Throws InvalidArgumentError if it has more than `maxBytes` (64 MiB by default), or Node's own error.
 */
export function memfdRead(memfd: FdLike, options: { maxBytes?: number } = {}): Uint8Array {
  const fd = fdNumber(memfd);
  const { maxBytes = 64 * 1024 * 1024 } = options;
  const { size } = fstatSync(fd);
  if (size > maxBytes) {
    throw new InvalidArgumentError('a memfd to read', `at most ${maxBytes} bytes`, `${size}`);
  }
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const count = readSync(fd, bytes, done, size - done, done);
    // Somebody made it shorter meanwhile.
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** Adds seals, by default all there are; nothing takes them away again. Throws SyscallError (EPERM: sealed against it). */
export function memfdSeal(memfd: FdLike, seals: readonly Seal[] = ALL): void {
  fcntlAddSeals(
    fdNumber(memfd),
    seals.reduce((bits, seal) => bits | SEALS[seal], 0),
  );
}

/** The seals it has. Throws SyscallError: EINVAL for a file that cannot have any. */
export function memfdSeals(memfd: FdLike): Seal[] {
  const bits = fcntlGetSeals(fdNumber(memfd));
  return ALL.filter((seal) => (bits & SEALS[seal]) !== 0);
}
