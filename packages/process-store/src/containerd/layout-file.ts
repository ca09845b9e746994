import { chmod, type FileHandle, link, readFile, rename } from 'node:fs/promises';
import { inside, writeTemporary } from '../disk/temporary-file.ts';
import { errnoCode } from '../errors.ts';

/** As containerd's files had it: everybody may read them. */
const MODE = 0o644;

/**
 * Writes a file of the layout whole, so that no reader ever sees it empty or half: in place of the one there is, or with
 * `once` only if there is none. Returns false if another was there and stays.
 *
 * `directory` is open, so that a folder renamed meanwhile is not mistaken for a later one of the same name.
 */
export async function writeLayoutFile(
  directory: FileHandle,
  name: string,
  text: string,
  { once = false }: { once?: boolean } = {},
): Promise<boolean> {
  await using temporary = await writeTemporary(directory, name, text);
  // Whatever the umask is.
  await chmod(temporary.path, MODE);
  if (once) {
    try {
      await link(temporary.path, inside(directory, name));
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error;
      return false;
    }
  } else {
    await rename(temporary.path, inside(directory, name));
    temporary.renamed();
  }
  await directory.sync();
  return true;
}

/** The text of a file, or undefined if there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
