import { link, open, type FileHandle, unlink } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';

let counter = 0;

/**
 * Writes a file that did not exist, whole and durable, or leaves the one that does.
 *
 * `directory` is open, so that a folder renamed meanwhile is not mistaken for a later one of the same name.
 * Returns false if the name was taken: somebody recorded the same fact first, and theirs is kept.
 * Throws Node's error for what the file system refuses; nothing is left then.
 */
export async function writeOnce(
  directory: FileHandle,
  name: string,
  text: string,
): Promise<boolean> {
  const temporary = await writeTemporary(directory, name, text);
  try {
    // link(2) refuses an existing name and never shows half a file; rename(2) would replace.
    await link(temporary, inside(directory, name));
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    await unlink(temporary);
  }
  await directory.sync();
  return true;
}

/** Writes, syncs and closes a new dot file beside `name`; returns its path. */
export async function writeTemporary(
  directory: FileHandle,
  name: string,
  text: string,
): Promise<string> {
  for (;;) {
    const path = inside(directory, `.${name}.${process.pid}.${counter++}`);
    let file: FileHandle;
    try {
      file = await open(path, 'wx', 0o600);
    } catch (error) {
      // Left behind by a dead process that had our pid, or of one in another pid namespace.
      if (errnoCode(error) === 'EEXIST') continue;
      throw error;
    }
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await unlink(path);
      throw error;
    } finally {
      await file.close();
    }
    return path;
  }
}

/** The path of a name in an open directory, valid in this process wherever the directory was moved. */
export function inside(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}
