import { unpin } from '@pilotlight/scm-rights';
import { BadRecordError, errnoCode } from '../errors.ts';

/** Removes the pin of a record and its file, if they are there. Throws BadRecordError, SyscallError. */
export function dropPin(path: string): void {
  try {
    unpin(path);
  } catch (error) {
    if (errnoCode(error) === 'EISDIR') throw new BadRecordError(path, 'it is a directory', error);
    throw error;
  }
}
