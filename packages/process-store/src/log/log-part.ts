import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import { listLogFiles, logFile } from './log-files.ts';

const NEWLINE = 0x0a;
const BLOCK_BYTES = 64 * 1024;
/** What is longer is given in pieces; more than any line of a CRI log. */
const MAX_PIECE_BYTES = 1 << 20;

/** A line without its newline, or the piece of one that is too long, or the end of a file that has no newline. */
export interface Piece {
  bytes: Buffer;
  isWhole: boolean;
}

/** One file of a log, open to be read line by line while it grows. */
export class LogPart {
  readonly #file: FileHandle;
  readonly dev: bigint;
  readonly ino: bigint;
  /** Where the first line begins that was not given yet. */
  #position = 0;
  /** What stands after the last newline, when `lines` last came to the end. */
  #rest: Buffer = Buffer.alloc(0);

  private constructor(file: FileHandle, dev: bigint, ino: bigint) {
    this.#file = file;
    this.dev = dev;
    this.ino = ino;
  }

  /** Undefined if there is no file; throws Node's error. */
  static async open(path: string): Promise<LogPart | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const { dev, ino } = await file.stat({ bigint: true });
      return new LogPart(file, dev, ino);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  isSame(other: LogPart): boolean {
    return this.ino === other.ino && this.dev === other.dev;
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#file.stat()).size === 0;
  }

  /** The lines that have come since, to the end that the file has now. What has no newline there is not among them. */
  async *lines(): AsyncGenerator<Piece, void, void> {
    const { size } = await this.#file.stat();
    // Emptied in place, as `copytruncate` of logrotate(8) does.
    if (size < this.#position) this.#position = 0;
    // Read anew each time: its writer may take back a line that it could not finish.
    let held = Buffer.alloc(0);
    for (;;) {
      const block = Buffer.allocUnsafe(BLOCK_BYTES);
      const { bytesRead } = await this.#file.read(
        block,
        0,
        block.length,
        this.#position + held.length,
      );
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([held, block.subarray(0, bytesRead)]);
      let start = 0;
      for (;;) {
        const newline = bytes.indexOf(NEWLINE, start);
        if (newline < 0) break;
        this.#position += newline + 1 - start;
        yield { bytes: bytes.subarray(start, newline), isWhole: true };
        start = newline + 1;
      }
      held = bytes.subarray(start);
      if (held.length < MAX_PIECE_BYTES) continue;
      this.#position += held.length;
      yield { bytes: held, isWhole: false };
      held = Buffer.alloc(0);
    }
    this.#rest = held;
  }

  /** Gives what has no newline, for a file that nothing more is written to. */
  takeRest(): Piece[] {
    const rest = this.#rest;
    this.#position += rest.length;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : [{ bytes: rest, isWhole: false }];
  }

  /** Goes to the last `count` lines there are, an unfinished one counted; returns how many there are, at most `count`. */
  async seekTail(count: number): Promise<number> {
    const { size } = await this.#file.stat();
    let found = 0;
    let end = size;
    while (end > 0) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const block = Buffer.alloc(end - start);
      const { bytesRead } = await this.#file.read(block, 0, block.length, start);
      let newline = block.subarray(0, bytesRead).lastIndexOf(NEWLINE);
      while (newline >= 0) {
        const begins = start + newline + 1;
        // The one at the very end begins no line.
        if (begins < size) found += 1;
        if (found >= count && (begins < size || count === 0)) {
          this.#position = begins;
          return count;
        }
        newline = newline === 0 ? -1 : block.lastIndexOf(NEWLINE, newline - 1);
      }
      end = start;
    }
    this.#position = 0;
    return size === 0 ? 0 : found + 1;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/**
 * Opens the files of a log that are newer than `current`, or all, the oldest first. The caller closes them.
 *
 * A rotation may be under way: a file moves to higher numbers only, so whoever looks from the lowest on may meet one twice but
 * misses none.
 */
export async function openLogParts(path: string, current?: LogPart): Promise<LogPart[]> {
  const newestFirst: LogPart[] = [];
  try {
    const highest = (await listLogFiles(path)).at(-1);
    if (highest === undefined) return [];
    for (let index = 0; index <= highest + 1; index += 1) {
      const part = await LogPart.open(logFile(path, index));
      if (part === undefined) continue;
      const isCurrent = current !== undefined && part.isSame(current);
      if (isCurrent || newestFirst.some((known) => known.isSame(part))) {
        await part.close();
        if (isCurrent) break;
      } else newestFirst.push(part);
    }
    return newestFirst.toReversed();
  } catch (error) {
    for (const part of newestFirst) await part.close();
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
}
