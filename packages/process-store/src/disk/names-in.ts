import { readdir } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';

/** The names in a folder; none if there is no such folder. Throws Node's error. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
}
