import { type FileHandle, lstat } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { takeLock, type LockOptions } from '../disk/lock.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { BadRecordError, errnoCode } from '../errors.ts';
import { recordFiles } from '../layout.ts';

/** A record whose lock we hold: nobody renames or removes its folder, so its path is safe to use. */
export class LockedRecord implements AsyncDisposable {
  readonly key: string;
  #path: string;
  readonly directory: FileHandle;
  readonly #lock: OwnedFd;

  constructor(key: string, path: string, directory: FileHandle, lock: OwnedFd) {
    this.key = key;
    this.#path = path;
    this.directory = directory;
    this.#lock = lock;
  }

  get path(): string {
    return this.#path;
  }

  /** To be told when the folder was renamed. */
  movedTo(path: string): void {
    this.#path = path;
  }

  get pinPath(): string {
    return join(this.path, recordFiles.pin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory.close();
    this.#lock.close();
  }
}

/** Locks the record in the folder `path`; undefined if there is no such folder. The caller disposes it. Throws BusyError, BadRecordError. */
export async function lockRecord(
  key: string,
  path: string,
  options: LockOptions,
): Promise<LockedRecord | undefined> {
  // Before the lock is made in it: a link would lead us out of the store.
  await refuseNonDirectory(path);
  const lock = await takeLock(join(path, recordFiles.lock), 'exclusive', options);
  if (lock === undefined) return undefined;
  try {
    return new LockedRecord(key, path, await openDirectory(path), lock);
  } catch (error) {
    lock.close();
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function refuseNonDirectory(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (stats !== undefined && !stats.isDirectory()) {
    throw new BadRecordError(path, 'it is not a directory');
  }
}
