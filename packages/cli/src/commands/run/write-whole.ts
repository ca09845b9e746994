import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileError } from '../../errors.ts';

/** Writes a file so that a reader sees all of it or none. `what` names it in the error. Throws FileError. */
export async function writeWhole(what: string, path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}`);
  try {
    await writeFile(temporary, text, { mode: 0o666 });
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError(`write the ${what}`, path, {
      hint: 'Name a file in a directory that exists and that you may write to.',
      cause,
    });
  }
}
