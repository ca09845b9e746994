import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PidFileError } from '../errors.ts';

/** The largest value of /proc/sys/kernel/pid_max on 64-bit machines, PID_MAX_LIMIT; proc_sys_kernel(5). */
const MAX_PID = 4_194_304;
const MAX_BYTES = 32;
const RETRY_MS = 5;

/**
 * The pid in a file such as `init.pid`: a decimal number and nothing else. A sign is accepted, as by embedshim's reader;
 * space, a newline or anything beyond 1 to 4194304 is not.
 *
 * A file that is empty may be about to be written: it is read again until it is not, or until `signal` is aborted. Without a
 * signal that may be never. Throws PidFileError, with the signal's reason as cause where that ended it, and Node's error
 * where the file is missing or may not be read.
 */
export async function readPidFile(
  path: string,
  options: { signal?: AbortSignal } = {},
): Promise<number> {
  const { signal } = options;
  for (;;) {
    const text = await readStart(path);
    if (text !== '') return parsePid(path, text);
    if (signal?.aborted === true) {
      throw new PidFileError(path, 'it stays empty', signal.reason);
    }
    await sleep(RETRY_MS);
  }
}

function parsePid(path: string, text: string): number {
  const pid = /^[+-]?[0-9]+$/.test(text) && text.length < MAX_BYTES ? Number(text) : Number.NaN;
  if (pid >= 1 && pid <= MAX_PID) return pid;
  throw new PidFileError(path, `${JSON.stringify(text)} is not a pid`);
}

/** As much of the file as a pid could be, and a little more. */
async function readStart(path: string): Promise<string> {
  // O_NONBLOCK: a fifo without a writer must not keep a thread of the pool for ever.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES);
  return buffer.toString('latin1', 0, bytesRead);
}
