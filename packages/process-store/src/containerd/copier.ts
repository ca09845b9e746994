import { setImmediate as nextTurn } from 'node:timers/promises';
import { isSyscallError, type OwnedFd, readiness, readNow } from '@pilotlight/scm-rights';
import { errnoCode } from '../errors.ts';
import { writeNow } from './write-now.ts';

const CHUNK_BYTES = 65_536;

/**
 * Copies from one descriptor to another until the first ends; with no target what is read is dropped. Both do not block, and
 * stay the caller's, who aborts the copying and awaits `done` before closing them.
 */
export class Copier {
  /** Resolves when the source has ended, or after `abort`. Never rejects. */
  readonly done: Promise<void>;
  readonly #abort = new AbortController();
  #copiedBytes = 0;
  #writing = false;

  constructor(from: OwnedFd, to: OwnedFd | undefined) {
    this.done = this.#run(from, to);
  }

  /** How many bytes have been read so far. */
  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /** Whether bytes that were read wait for the target to take them. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Stops at once; bytes that were read and not written yet are lost. */
  async abort(): Promise<void> {
    this.#abort.abort();
    await this.done;
  }

  async #run(from: OwnedFd, target: OwnedFd | undefined): Promise<void> {
    const { signal } = this.#abort;
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let to = target;
    try {
      for (;;) {
        // Before each read, not only when there is nothing: a source that never pauses must not hold up the event loop.
        await ready(from, 'readable', signal);
        const length = readNow(from, buffer);
        if (length === undefined) continue;
        if (length === 0) return;
        this.#copiedBytes += length;
        if (to === undefined) continue;
        this.#writing = true;
        if (!(await writeAll(to, buffer.subarray(0, length), signal))) to = undefined;
        this.#writing = false;
      }
    } catch {
      // EIO is how a terminal ends that nobody has open any more; an abort is asked for; whatever else stops a source, there
      // is nothing more to copy from it.
    }
  }
}

/** False if nobody can ever read it; then the source is still emptied, so that the program is not stopped by that. */
async function writeAll(to: OwnedFd, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
  let rest = bytes;
  while (rest.length > 0) {
    signal.throwIfAborted();
    try {
      const taken = writeNow(to, rest);
      if (taken === undefined) await ready(to, 'writable', signal);
      else rest = rest.subarray(taken);
    } catch (error) {
      signal.throwIfAborted();
      if (errnoCode(error) === 'EPIPE' || errnoCode(error) === 'ENOSPC') return false;
      throw error;
    }
  }
  return true;
}

async function ready(
  fd: OwnedFd,
  kind: 'readable' | 'writable',
  signal: AbortSignal,
): Promise<void> {
  try {
    await readiness.wait(fd, kind, { signal });
  } catch (error) {
    // A regular file, which is always ready.
    if (!isSyscallError(error, 'EPERM')) throw error;
    await nextTurn();
    signal.throwIfAborted();
  }
}
