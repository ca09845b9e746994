import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Neither a FIFO nor a terminal can stop us or become ours, and no link leads out of the folder. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** A file that is no regular one, or too big; `message` says which. */
export class UnreadableFileError extends Error {
  override readonly name: string = 'UnreadableFileError';
}

/**
 * Reads a regular file of at most `maxBytes` as UTF-8, without ever waiting for anybody.
 *
 * Throws UnreadableFileError, and Node's errors of open and read.
 */
export async function readBounded(path: string, maxBytes: number): Promise<string> {
  await using file = await openFile(path);
  const stats = await file.stat();
  if (!stats.isFile())
    throw new UnreadableFileError(`it is ${describe(stats)}, not a regular file`);
  if (stats.size > maxBytes) {
    throw new UnreadableFileError(`it has ${stats.size} bytes, more than ${maxBytes}`);
  }
  return file.readFile('utf8');
}

async function openFile(path: string) {
  try {
    return await open(path, FLAGS);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ELOOP')
      throw new UnreadableFileError('it is a symbolic link, not a regular file');
    if (code === 'ENXIO') throw new UnreadableFileError('it is a socket, not a regular file');
    throw error;
  }
}

function describe(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  return 'a device';
}
