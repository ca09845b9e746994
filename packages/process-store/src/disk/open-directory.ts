import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Opens a directory, close-on-exec and without following a link in its last part. The caller closes it. */
export async function openDirectory(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
