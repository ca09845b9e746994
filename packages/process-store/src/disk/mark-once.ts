import { type FileHandle, open } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import { inside, writeInto } from './temporary-file.ts';

/** Makes an empty file whose existence says something; one that is there is left. Throws DiskError, and Node's error. */
export async function markOnce(directory: FileHandle, name: string): Promise<void> {
  await writeInto(directory, name, async () => {
    try {
      const file = await open(inside(directory, name), 'wx', 0o600);
      await file.close();
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error;
      return;
    }
    await directory.sync();
  });
}
