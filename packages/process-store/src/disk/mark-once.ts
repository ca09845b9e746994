import { type FileHandle, open } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import { inside } from './write-once.ts';

/** Makes an empty file whose existence says something; one that is there is left. Throws Node's error. */
export async function markOnce(directory: FileHandle, name: string): Promise<void> {
  try {
    const file = await open(inside(directory, name), 'wx', 0o600);
    await file.close();
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
    return;
  }
  await directory.sync();
}
