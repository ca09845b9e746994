import { rename } from 'node:fs/promises';
import { openDirectory } from './open-directory.ts';
import { inside, writeInto, writeTemporary } from './temporary-file.ts';

/**
 * Writes a file in `directory` whole and durable, in place of the one there is; for what is not write-once.
 *
 * Throws DiskError, and Node's error for anything else that the file system refuses; the old file is kept then.
 */
export async function replaceFile(directory: string, name: string, text: string): Promise<void> {
  await using handle = await openDirectory(directory);
  await writeInto(handle, name, async () => {
    await using temporary = await writeTemporary(handle, name, text);
    await rename(temporary.path, inside(handle, name));
    temporary.renamed();
    await handle.sync();
  });
}
