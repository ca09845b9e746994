import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { flockExclusive } from '@pilotlight/scm-rights';
import { errnoCode, LogDroppedError, LogError, messageOf } from '../errors.ts';
import { formatCriLine } from './cri-line.ts';
import { WallClock } from './cri-time.ts';
import { shiftLogFiles } from './log-files.ts';
import { repairLog } from './repair-log.ts';

export interface LogWriterOptions {
  /** How large a file may grow, in bytes, before the next line begins a new one; null, the default, for no limit. */
  maxBytes?: number | null;
  /** How many files there may be, the current one included; 1, the default, keeps no older one. */
  maxFiles?: number;
  /** Permissions of files that are made, less the umask; 0o640 by default. */
  mode?: number;
  /** Gets a LogDroppedError when output is lost, and again with the whole number when it no longer is; a LogError otherwise. */
  onWarning?: (warning: LogDroppedError | LogError) => void;
  /** How often, in milliseconds, it looks whether the file was renamed; 500 by default, 0 looks before each writing. */
  checkMs?: number;
}

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDWR } = constants;

/** The most that is written by one call: what a pipe holds, and its headers. */
const BATCH_BYTES = 256 * 1024;

/**
 * Appends lines to a log, and rotates it: never within a line, and in the order of the calls. One writer at a time is meant to
 * write a log; several lose no line and
 * cut none while there is space.
 *
 * Output that cannot be written is dropped, counted and told of, so that the program is never held up by a full disk; the log
 * says so in a line of its own once it can be written again.
 */
export class LogWriter implements AsyncDisposable {
  readonly path: string;
  readonly #options: Required<LogWriterOptions>;
  readonly #clock = new WallClock();
  #file: FileHandle;
  #inode: { dev: bigint; ino: bigint };
  /** Of the current file, as far as this writer knows. */
  #size: number;
  #checkedAt = performance.now();
  /** The bytes that were dropped since the last success, and why. */
  #dropping: { bytes: number; cause: unknown } | undefined;
  #droppedBytes = 0;
  #rotationFailed = false;
  #canRotate = true;
  #closed = false;
  /** What was asked for and is not done yet; one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, options: Required<LogWriterOptions>, opened: Opened) {
    this.path = path;
    this.#options = options;
    this.#file = opened.file;
    this.#inode = opened.inode;
    this.#size = opened.size;
  }

  /**
   * Opens a log to append to, made if it is not there, and makes a last line whole that a crash has cut off. The caller closes
   * it. Throws LogError.
   */
  static async open(path: string, options: LogWriterOptions = {}): Promise<LogWriter> {
    const all = {
      maxBytes: null,
      maxFiles: 1,
      mode: 0o640,
      onWarning: () => {},
      checkMs: 500,
      ...options,
    };
    const opened = await openLog(path, all.mode);
    try {
      opened.size = await repairLog(opened.file);
    } catch (error) {
      await opened.file.close();
      throw failed(path, 'repair', error);
    }
    return new LogWriter(path, all, opened);
  }

  /** How many bytes of lines were lost so far. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /**
   * Appends lines, each with its newline. Resolves when they are written or dropped: wait for it before making more of them.
   * Never rejects, except after `close`.
   */
  async write(lines: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(() => this.#write(lines));
  }

  /** Goes on in the file that is now at the path, made if there is none: for one who has renamed it. Throws LogError. */
  async reopen(): Promise<void> {
    return this.#inTurn(() => this.#reopen());
  }

  /** Waits for what is being written, makes it durable and closes. Later calls do nothing. Throws LogError. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const closing = this.#inTurn(async () => {
      try {
        await this.#file.datasync();
      } catch (error) {
        throw failed(this.path, 'sync', error);
      } finally {
        await this.#file.close();
      }
    });
    this.#closed = true;
    return closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    if (this.#closed) {
      throw new LogError(this.path, 'write', 'its writer is closed', {
        hint: 'Close the writer when nothing is pumped into it any more.',
      });
    }
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #write(lines: readonly Uint8Array[]): Promise<void> {
    await this.#follow();
    // What could not be done is tried again with each call, not with each line.
    this.#canRotate = true;
    let next = 0;
    while (next < lines.length) {
      if (this.#isFull(lines[next]!.length)) await this.#rotate();
      const batch = this.#batch(lines, next);
      await this.#append(batch);
      next += batch.length;
    }
  }

  /** As many lines as one file and one call take, at least one. */
  #batch(lines: readonly Uint8Array[], from: number): Uint8Array[] {
    const batch: Uint8Array[] = [];
    let bytes = 0;
    for (let index = from; index < lines.length; index += 1) {
      const line = lines[index]!;
      const total = bytes + line.length;
      if (batch.length > 0 && (total > BATCH_BYTES || this.#isFull(total))) break;
      batch.push(line);
      bytes = total;
    }
    return batch;
  }

  #isFull(moreBytes: number): boolean {
    const { maxBytes } = this.#options;
    // A line longer than the limit has a file of its own.
    return (
      this.#canRotate && maxBytes !== null && this.#size > 0 && this.#size + moreBytes > maxBytes
    );
  }

  async #append(batch: readonly Uint8Array[]): Promise<void> {
    const notice = this.#notice();
    const lines = notice === undefined ? batch : [notice, ...batch];
    const written = await this.#appendWhole(lines);
    const before = this.#dropping;
    if (written.lines > 0) this.#dropping = undefined;
    const lost = lines.slice(Math.max(written.lines, notice === undefined ? 0 : 1));
    if (lost.length > 0) this.#drop(lost, written.error, before === undefined);
    else if (before !== undefined) {
      this.#options.onWarning(new LogDroppedError(this.path, before.bytes, before.cause));
    }
  }

  /** How many lines were written whole; of the others nothing is left in the file. */
  async #appendWhole(lines: readonly Uint8Array[]): Promise<{ lines: number; error?: unknown }> {
    const bytes = lines.length === 1 ? lines[0]! : Buffer.concat(lines);
    let done = 0;
    let error: unknown;
    try {
      while (done < bytes.length) {
        // One call, so that nobody's line comes in between, unless space runs out.
        const { bytesWritten } = await this.#file.write(bytes, done);
        if (bytesWritten === 0) break;
        done += bytesWritten;
      }
    } catch (failure) {
      error = failure;
    }
    if (done === bytes.length) {
      this.#size += done;
      return { lines: lines.length };
    }
    let whole = 0;
    let wholeBytes = 0;
    while (wholeBytes + lines[whole]!.length <= done) {
      wholeBytes += lines[whole]!.length;
      whole += 1;
    }
    await this.#cut(done - wholeBytes);
    return { lines: whole, error: error ?? new Error('nothing more was written') };
  }

  /** Takes the beginning of a line back out of the file; needs no space. */
  async #cut(tornBytes: number): Promise<void> {
    try {
      const { size } = await this.#file.stat();
      this.#size = size - tornBytes;
      if (tornBytes > 0) await this.#file.truncate(this.#size);
    } catch {
      // Then the next reader finds a line that is cut off; there is nothing left to try.
    }
  }

  #drop(lines: readonly Uint8Array[], cause: unknown, warn: boolean): void {
    const bytes = lines.reduce((sum, line) => sum + line.length, 0);
    this.#droppedBytes += bytes;
    this.#dropping = { bytes: bytes + (this.#dropping?.bytes ?? 0), cause };
    if (warn) this.#options.onWarning(new LogDroppedError(this.path, bytes, cause));
  }

  #notice(): Buffer | undefined {
    if (this.#dropping === undefined) return undefined;
    const { bytes, cause } = this.#dropping;
    const why = errnoCode(cause) ?? messageOf(cause);
    const text = `[pilotlight: ${bytes} bytes of the log were lost here: ${why}]`;
    return formatCriLine(
      this.#clock.now(),
      'stderr',
      false,
      Buffer.from(text.replaceAll('\n', ' ')),
    );
  }

  /** Goes on in another file if somebody has put one there, or has taken this one away. */
  async #follow(): Promise<void> {
    if (performance.now() - this.#checkedAt < this.#options.checkMs) return;
    this.#checkedAt = performance.now();
    if (await this.#isCurrent()) return;
    try {
      await this.#reopen();
    } catch (error) {
      // The one we have still takes the output.
      this.#options.onWarning(error as LogError);
    }
  }

  async #isCurrent(): Promise<boolean> {
    try {
      const { dev, ino, size } = await stat(this.path, { bigint: true });
      if (dev !== this.#inode.dev || ino !== this.#inode.ino) return false;
      // Another one may have appended to it, or emptied it.
      this.#size = Number(size);
      return true;
    } catch (error) {
      // Whatever else is the matter, opening it again would not help.
      return errnoCode(error) !== 'ENOENT';
    }
  }

  async #reopen(): Promise<void> {
    const opened = await openLog(this.path, this.#options.mode);
    await this.#file.close();
    this.#file = opened.file;
    this.#inode = opened.inode;
    this.#size = opened.size;
  }

  async #rotate(): Promise<void> {
    try {
      // Its file tells two writers apart: the second finds that the path has another file, and goes on there.
      using _held = await flockExclusive(this.#file.fd);
      if (await this.#isCurrent()) await shiftLogFiles(this.path, this.#options.maxFiles);
      await this.#reopen();
      this.#rotationFailed = false;
    } catch (error) {
      // Output goes on into the file there is.
      if (!this.#rotationFailed) this.#options.onWarning(failed(this.path, 'rotate', error));
      this.#rotationFailed = true;
      this.#canRotate = false;
    }
  }
}

interface Opened {
  file: FileHandle;
  inode: { dev: bigint; ino: bigint };
  size: number;
}

async function openLog(path: string, mode: number): Promise<Opened> {
  let file: FileHandle | undefined;
  try {
    // O_NONBLOCK for a fifo that somebody put there, which would hold up a thread for ever.
    file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, mode);
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) {
      throw new LogError(path, 'open', 'it is not a regular file', {
        hint: 'Give the log a path where nothing is, or a file.',
      });
    }
    return { file, inode: { dev: stats.dev, ino: stats.ino }, size: Number(stats.size) };
  } catch (error) {
    await file?.close();
    throw failed(path, 'open', error);
  }
}

function failed(path: string, action: string, error: unknown): LogError {
  if (error instanceof LogError) return error;
  return new LogError(path, action, messageOf(error), {
    hint: 'Look at the permissions of the directory, and at the space and the state of its file system.',
    cause: error,
  });
}
