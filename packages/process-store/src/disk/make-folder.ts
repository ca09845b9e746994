import { mkdir } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';

/** Makes a folder of mode 0700 in one that exists; false if the name was taken. Throws Node's error. */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return false;
    throw error;
  }
}
