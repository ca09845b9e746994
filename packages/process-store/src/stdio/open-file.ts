import { constants, open as openCallback } from 'node:fs';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { OwnedFd, setNonblocking } from '@pilotlight/scm-rights';
import { errnoCode, messageOf, StdioError } from '../errors.ts';
import { fileKind, statFd } from './file-kind.ts';
import type { FileStream } from './stored-stdio.ts';

// With a plain number as result, and on a pool thread: the file system may be a slow one.
const open = promisify(openCallback);

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Opens a regular file for a process, close-on-exec: to read from its beginning, or to append, and then it is made if it is
 * not there. Links are followed. The caller closes it. Throws StdioError.
 */
export async function openFile(
  { path, mode = 0o640 }: FileStream,
  side: 'input' | 'output',
): Promise<OwnedFd> {
  // Not what shows its kind only once it is opened: devices act upon that.
  await requireFile(path, side);
  const access = side === 'input' ? O_RDONLY : O_WRONLY | O_APPEND | O_CREAT;
  let file: OwnedFd;
  try {
    // O_NONBLOCK for a fifo that took the file's place just now.
    file = new OwnedFd(await open(path, access | O_NOCTTY | O_NONBLOCK, mode), path);
  } catch (error) {
    throw cannotOpen(path, error);
  }
  try {
    const kind = fileKind(statFd(file));
    if (kind !== 'file') throw notAFile(path, kind);
    setNonblocking(file, false);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function requireFile(path: string, side: 'input' | 'output'): Promise<void> {
  try {
    const kind = fileKind(await stat(path, { bigint: true }));
    if (kind !== 'file') throw notAFile(path, kind);
  } catch (error) {
    if (error instanceof StdioError) throw error;
    if (side === 'output' && errnoCode(error) === 'ENOENT') return;
    throw cannotOpen(path, error);
  }
}

function notAFile(path: string, kind: string): StdioError {
  return new StdioError(path, `it is a ${kind}, not a regular file`, {
    hint: HINTS[kind] ?? 'Name a regular file, or for output one that does not exist yet.',
  });
}

function cannotOpen(path: string, cause: unknown): StdioError {
  const hint = HINTS[errnoCode(cause) ?? ''] ?? 'See the cause, and open(2).';
  return new StdioError(path, messageOf(cause), { hint, cause });
}

const HINTS: Readonly<Record<string, string>> = {
  directory: 'Name a file in that directory.',
  fifo: "Store it as { kind: 'fifo' }.",
  device: "Use { kind: 'null' } for /dev/null, and a terminal for a terminal.",
  ENOENT: 'A file to read must exist, and the directory of a file to write.',
  ELOOP: 'Its links lead in a circle; name the file itself.',
  EACCES: 'This process may not open it; look at the permissions of the file and its directories.',
};
