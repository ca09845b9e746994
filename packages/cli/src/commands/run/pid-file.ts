import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileError } from '../../errors.ts';

/** Writes the pid, without a newline, so that a reader sees all of it or none. Throws FileError. */
export async function writePidFile(path: string, pid: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}`);
  try {
    await writeFile(temporary, String(pid), { mode: 0o666 });
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError('write the pid file', path, {
      hint: 'Name a file in a directory that exists and that you may write to.',
      cause,
    });
  }
}
