import { rename, unlink } from 'node:fs/promises';
import { openDirectory } from './open-directory.ts';
import { inside, writeTemporary } from './write-once.ts';

/** Writes a file in `directory` whole and durable, in place of the one there is; for what is not write-once. */
export async function replaceFile(directory: string, name: string, text: string): Promise<void> {
  await using handle = await openDirectory(directory);
  const temporary = await writeTemporary(handle, name, text);
  try {
    await rename(temporary, inside(handle, name));
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  await handle.sync();
}
