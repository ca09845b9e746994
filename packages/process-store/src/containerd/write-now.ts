import { writeSync } from 'node:fs';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { errnoCode } from '../errors.ts';

/** Writes to a descriptor that does not block: how many bytes it took, undefined if it takes none now. Throws Node's error. */
export function writeNow(fd: OwnedFd, bytes: Uint8Array): number | undefined {
  try {
    return writeSync(fd.fd, bytes);
  } catch (error) {
    if (errnoCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
