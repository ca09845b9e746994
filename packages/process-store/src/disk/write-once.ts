import { type FileHandle, link } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import { inside, writeInto, writeTemporary } from './temporary-file.ts';

export { inside } from './temporary-file.ts';

/**
 * Writes a file that did not exist, whole and durable, or leaves the one that does.
 *
 * `directory` is open, so that a folder renamed meanwhile is not mistaken for a later one of the same name.
 * Returns false if the name was taken: somebody recorded the same fact first, and theirs is kept.
 * Throws DiskError, and Node's error for anything else that the file system refuses; nothing is left then.
 */
export async function writeOnce(
  directory: FileHandle,
  name: string,
  text: string,
): Promise<boolean> {
  return writeInto(directory, name, async () => {
    {
      await using temporary = await writeTemporary(directory, name, text);
      try {
        // link(2) refuses an existing name and never shows half a file; rename(2) would replace.
        await link(temporary.path, inside(directory, name));
      } catch (error) {
        if (errnoCode(error) !== 'EEXIST') throw error;
        return false;
      }
    }
    await directory.sync();
    return true;
  });
}
