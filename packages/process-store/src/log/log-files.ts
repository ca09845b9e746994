import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path/posix';
import { errnoCode } from '../errors.ts';

/** The name of a log's file number `index`: 0 is the current one, 1 the one before it. */
export function logFile(path: string, index: number): string {
  return index === 0 ? path : `${path}.${index}`;
}

/** The numbers of the files that a log has now, the newest first. Throws Node's error if the directory cannot be read. */
export async function listLogFiles(path: string): Promise<number[]> {
  const base = basename(path);
  const numbers: number[] = [];
  for (const name of await readdir(dirname(path))) {
    if (name === base) numbers.push(0);
    else if (name.startsWith(`${base}.`) && /^[1-9]\d{0,8}$/.test(name.slice(base.length + 1))) {
      numbers.push(Number(name.slice(base.length + 1)));
    }
  }
  return numbers.toSorted((a, b) => a - b);
}

/**
 * Gives every file of a log the next number, so that number 0 is free; what would have number `maxFiles` goes. With `maxFiles` 1
 * the current file goes. From the oldest on, so that a crash in between leaves a gap in the numbers and no loss; a gap is
 * filled first. Throws Node's error.
 */
export async function shiftLogFiles(path: string, maxFiles: number): Promise<void> {
  if (maxFiles === 1) return unlink(path);
  let last = 1;
  while (last < maxFiles - 1 && (await exists(logFile(path, last)))) last += 1;
  for (let index = last - 1; index >= 0; index -= 1) {
    await rename(logFile(path, index), logFile(path, index + 1));
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return false;
    throw error;
  }
}
