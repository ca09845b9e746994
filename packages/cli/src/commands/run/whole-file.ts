import { randomUUID } from 'node:crypto';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileError } from '../../errors.ts';

/**
 * A file that a reader sees whole or not at all. Its place is taken when it is made, so that a
 * caller learns beforehand whether it can be written.
 */
export class WholeFile implements AsyncDisposable {
  readonly #what: string;
  readonly #path: string;
  readonly #temporary: string;

  private constructor(what: string, path: string, temporary: string) {
    this.#what = what;
    this.#path = path;
    this.#temporary = temporary;
  }

  /** `what` names the file in errors. Throws FileError, also for a target that is no regular file. */
  static async create(what: string, path: string): Promise<WholeFile> {
    const name = `.${basename(path)}.${randomUUID()}`;
    const file = new WholeFile(what, path, join(dirname(path), name));
    try {
      await requireReplaceable(path);
      // Exclusive: nobody can have put a link there.
      await (await open(file.#temporary, 'wx', 0o666)).close();
    } catch (cause) {
      throw file.#failure(cause);
    }
    return file;
  }

  /** Throws FileError. */
  async write(text: string): Promise<void> {
    try {
      const handle = await open(this.#temporary, 'r+');
      try {
        await handle.writeFile(text);
      } finally {
        await handle.close();
      }
      await rename(this.#temporary, this.#path);
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Gives the place up, if nothing was written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#temporary, { force: true });
  }

  #failure(cause: unknown): FileError {
    return new FileError(`write the ${this.#what}`, this.#path, {
      hint: 'Name a regular file, or none yet, in a directory that exists and that you may write to.',
      cause,
    });
  }
}

/** A link, a pipe or a device would be replaced by a file, which nobody means. */
async function requireReplaceable(path: string): Promise<void> {
  const status = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (status !== undefined && !status.isFile()) throw new Error('it is no regular file');
}
