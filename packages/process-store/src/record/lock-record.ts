import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { takeLock, type LockOptions } from '../disk/lock.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { errnoCode } from '../errors.ts';
import { recordFiles } from '../layout.ts';

/** A record whose lock we hold: nobody renames or removes its folder, so its path is safe to use. */
export class LockedRecord implements AsyncDisposable {
  readonly key: string;
  readonly path: string;
  readonly directory: FileHandle;
  readonly #lock: OwnedFd;

  constructor(key: string, path: string, directory: FileHandle, lock: OwnedFd) {
    this.key = key;
    this.path = path;
    this.directory = directory;
    this.#lock = lock;
  }

  get pinPath(): string {
    return join(this.path, recordFiles.pin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory.close();
    this.#lock.close();
  }
}

/** Locks the record in the folder `path`; undefined if there is no such folder. The caller disposes it. Throws BusyError. */
export async function lockRecord(
  key: string,
  path: string,
  options: LockOptions,
): Promise<LockedRecord | undefined> {
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
