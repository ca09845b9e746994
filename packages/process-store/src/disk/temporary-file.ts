import { type FileHandle, open, readlink, unlink } from 'node:fs/promises';
import { type OwnedFd, tryLock } from '@pilotlight/scm-rights';
import { DiskError, errnoCode, isDiskRefusal } from '../errors.ts';

let counter = 0;

/** Names that {@link writeTemporary} gives. */
export const temporaryName: RegExp = /^\..+\.\d+\.\d+$/;

/**
 * A dot file, written and synced, that waits to be linked or renamed to its name. Disposing removes what is left of it.
 *
 * Its writer holds a lock on it, which the kernel drops when the writer dies: so whoever sweeps tells rubbish from what is
 * being written without a look at any clock.
 */
export class TemporaryFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #lock: OwnedFd;
  #renamed = false;

  constructor(path: string, file: FileHandle, lock: OwnedFd) {
    this.path = path;
    this.#file = file;
    this.#lock = lock;
  }

  /** Says that the file has its final name, and no other. */
  renamed(): void {
    this.#renamed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.#renamed) await unlink(this.path);
    } catch (error) {
      // The folder was removed with all that is in it.
      if (errnoCode(error) !== 'ENOENT') throw error;
    } finally {
      this.#lock.close();
      await this.#file.close();
    }
  }
}

/**
 * Writes and syncs a new dot file beside `name`; the caller disposes it.
 *
 * Throws DiskError, and Node's error for anything else that the file system refuses; nothing is left then.
 */
export async function writeTemporary(
  directory: FileHandle,
  name: string,
  text: string,
): Promise<TemporaryFile> {
  const temporary = await makeTemporary(directory, name);
  try {
    await temporary.file.writeFile(text);
    await temporary.file.sync();
    return temporary.owned;
  } catch (error) {
    await temporary.owned[Symbol.asyncDispose]();
    throw error;
  }
}

async function makeTemporary(
  directory: FileHandle,
  name: string,
): Promise<{ file: FileHandle; owned: TemporaryFile }> {
  for (;;) {
    const path = inside(directory, `.${name}.${process.pid}.${counter++}`);
    let file: FileHandle;
    try {
      file = await open(path, 'wx', 0o600);
    } catch (error) {
      // Left behind by a dead process that had our pid, or of one in another pid namespace.
      if (errnoCode(error) === 'EEXIST') continue;
      throw error;
    }
    let lock: OwnedFd | undefined;
    try {
      lock = tryLock(file.fd, 'exclusive');
      // A sweeper may have come between the two, and has removed the file or is about to.
      if (lock !== undefined && (await file.stat()).nlink > 0) {
        return { file, owned: new TemporaryFile(path, file, lock) };
      }
    } catch (error) {
      await unlink(path);
      lock?.close();
      await file.close();
      throw error;
    }
    lock?.close();
    await file.close();
  }
}

/** The path of a name in an open directory, valid in this process wherever the directory was moved. */
export function inside(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** Does what writes into an open directory; a refusal of the disk is thrown as DiskError with the directory's name of now. */
export async function writeInto<T>(
  directory: FileHandle,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DiskError || !isDiskRefusal(error)) throw error;
    throw new DiskError(
      'write',
      `${await readlink(inside(directory, '').slice(0, -1))}/${name}`,
      error,
    );
  }
}
