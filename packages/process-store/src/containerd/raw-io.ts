import { readSync, writeSync } from 'node:fs';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { errnoCode } from '../errors.ts';

/** Reads from a descriptor that does not block: how many bytes, 0 at the end of file, undefined if there is nothing now. */
export function tryRead(fd: OwnedFd, bytes: Uint8Array): number | undefined {
  try {
    return readSync(fd.fd, bytes);
  } catch (error) {
    if (errnoCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Writes to a descriptor that does not block: how many bytes it took, undefined if it takes none now. */
export function tryWrite(fd: OwnedFd, bytes: Uint8Array): number | undefined {
  try {
    return writeSync(fd.fd, bytes);
  } catch (error) {
    if (errnoCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
