import { constants, fstatSync } from 'node:fs';
import { type FileHandle, readdir, unlink } from 'node:fs/promises';
import { isSyscallError, openFd, type OwnedFd, tryLock } from '@pilotlight/scm-rights';
import { errnoCode } from '../errors.ts';
import { inside, temporaryName } from './temporary-file.ts';

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Removes the temporary files whose writers are dead; those that are being written, and everything else, stay. */
export async function sweepTemporaries(directory: FileHandle): Promise<void> {
  const names = (await readdir(inside(directory, ''))).filter((name) => temporaryName.test(name));
  for (const name of names) await sweep(inside(directory, name));
}

async function sweep(path: string): Promise<void> {
  using file = openLeftover(path);
  if (file === undefined || !fstatSync(file.fd).isFile()) return;
  // A living writer has it locked from the moment it can write, and looks whether we were faster.
  using lock = tryLock(file, 'exclusive');
  if (lock === undefined) return;
  try {
    await unlink(path);
  } catch (error) {
    // Its writer was still there, and has finished.
    if (errnoCode(error) !== 'ENOENT') throw error;
  }
}

/** Undefined if it has gone, or is something that we do not make. */
function openLeftover(path: string): OwnedFd | undefined {
  try {
    return openFd(path, FLAGS);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EACCES'].some((code) => isSyscallError(error, code))) {
      return undefined;
    }
    throw error;
  }
}
