import { LogError, messageOf } from '../errors.ts';
import type { LogStreamName } from '../stdio/log-fifo.ts';
import { parseCriLine } from './cri-line.ts';
import { parseCriTime } from './cri-time.ts';
import { LogChanges } from './log-changes.ts';
import { LogPart, openLogParts, type Piece } from './log-part.ts';

/** One line of a log. */
export interface LogLine {
  /** RFC 3339 as written; null in a raw log, and for what is no line of a CRI log. */
  time: string | null;
  /** Null where `time` is. */
  stream: LogStreamName | null;
  /** Whether the program's line goes on, or had no newline. */
  partial: boolean;
  /** Any bytes, without the newline. */
  content: Buffer;
}

/** How to read a log. */
export interface ReadLogOptions {
  /** `cri` as a LogWriter writes it, or `raw` as the process itself does. */
  format: 'cri' | 'raw';
  /** Only lines of that time and later; a Date, or RFC 3339 with up to nine digits. Not for raw logs. */
  since?: Date | string | undefined;
  /** Only so many of the lines that are there, the last ones; `since` counts among those. From 0. */
  tail?: number | undefined;
  /** Goes on with what is written later, and waits for a log that is not there yet. */
  follow?: boolean | undefined;
  /** When it settles, following ends with what is there then: the end of the process and of its pump, for example. */
  until?: Promise<unknown> | undefined;
  /** Ends the reading with its reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads a log, the rotated files as well, from the oldest line on. Each line is given once, also while the log is rotated, by
 * its writer or by somebody who renames it; what is removed before it was read is lost.
 *
 * Throws LogError: there is no log, it cannot be read, or the options do not go together; and the signal's reason.
 */
export async function* readLog(
  path: string,
  options: ReadLogOptions,
): AsyncGenerator<LogLine, void, void> {
  const toLine = lineFilter(path, options);
  const reading = new Reading(path, options);
  try {
    for await (const piece of reading.pieces()) {
      const line = toLine(piece);
      if (line !== undefined) yield line;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof LogError) throw error;
    throw unreadable(path, messageOf(error), 'See the cause.', error);
  } finally {
    await reading.close();
  }
}

class Reading {
  readonly #path: string;
  readonly #options: ReadLogOptions;
  readonly #changes: LogChanges | undefined;
  #current: LogPart | undefined;
  /** Newer than the current one, the oldest first. */
  #next: LogPart[] = [];
  #ended = false;

  constructor(path: string, options: ReadLogOptions) {
    this.#path = path;
    this.#options = options;
    const { follow, until, signal } = options;
    if (follow !== true) return;
    const changes = new LogChanges(path, signal);
    this.#changes = changes;
    const end = (): void => {
      this.#ended = true;
      changes.notify();
    };
    until?.then(end, end);
  }

  async *pieces(): AsyncGenerator<Piece, void, void> {
    if (!(await this.#begin())) return;
    for (;;) {
      this.#options.signal?.throwIfAborted();
      // Before reading: what comes to an end meanwhile is read once more.
      const changes = this.#changes;
      const isLast = changes === undefined || this.#ended;
      yield* this.#current!.lines();
      if (this.#next.length === 0) this.#next = await openLogParts(this.#path, this.#current);
      if (await this.#hasSuccessor()) {
        // Its writer went on to the next file: what it wrote in between is the end of this one.
        yield* this.#current!.lines();
        yield* this.#current!.takeRest();
        await this.#current!.close();
        this.#current = this.#next.shift();
        continue;
      }
      if (isLast) {
        yield* this.#current!.lines();
        // In a CRI log that is a line which is being written.
        if (this.#options.format === 'raw') yield* this.#current!.takeRest();
        return;
      }
      await changes.wait();
    }
  }

  async close(): Promise<void> {
    this.#changes?.[Symbol.dispose]();
    await this.#current?.close();
    await this.#closeNext();
  }

  /** Opens what is there and goes to where reading begins; false if there is nothing and never will be. */
  async #begin(): Promise<boolean> {
    const { tail, signal } = this.#options;
    for (;;) {
      signal?.throwIfAborted();
      const isLast = this.#ended;
      this.#next = await openLogParts(this.#path);
      if (this.#next.length > 0) break;
      if (this.#changes === undefined) {
        const hint = 'Look at the path, and whether its process has a log at all.';
        throw unreadable(this.#path, 'it does not exist', hint);
      }
      if (isLast) return false;
      await this.#changes.wait();
    }
    if (tail !== undefined) await this.#seekTail(tail);
    this.#current = this.#next.shift();
    return true;
  }

  async #seekTail(tail: number): Promise<void> {
    let wanted = tail;
    for (let index = this.#next.length - 1; index >= 0; index -= 1) {
      wanted -= await this.#next[index]!.seekTail(wanted);
      if (wanted > 0) continue;
      for (const older of this.#next.splice(0, index)) await older.close();
      return;
    }
  }

  /**
   * Whether nothing more is written to the current file. Somebody else may rename it and make a new one before its writer takes
   * notice, so a new file says that only once something is in it.
   */
  async #hasSuccessor(): Promise<boolean> {
    const [first, second] = this.#next;
    if (first === undefined) return false;
    if (second !== undefined || !(await first.isEmpty())) return true;
    await this.#closeNext();
    return false;
  }

  async #closeNext(): Promise<void> {
    for (const part of this.#next.splice(0)) await part.close();
  }
}

/** Makes lines of pieces; undefined for those that are not wanted. */
function lineFilter(
  path: string,
  { format, since, tail }: ReadLogOptions,
): (piece: Piece) => LogLine | undefined {
  if (tail !== undefined && !(Number.isSafeInteger(tail) && tail >= 0)) {
    throw unreadable(path, `tail is ${tail}`, 'Give a whole number of lines, from 0.');
  }
  const sinceNs = since === undefined ? undefined : timeOf(path, since);
  if (format === 'raw') {
    if (sinceNs !== undefined) {
      throw unreadable(path, 'a raw log has no times', 'Leave out `since`, or use driver cri.');
    }
    return ({ bytes, isWhole }) => withoutTime(bytes, !isWhole);
  }
  // What has no time belongs to what stands before it.
  let isWanted = sinceNs === undefined;
  return ({ bytes, isWhole }) => {
    const line = parseCriLine(bytes);
    if (line === undefined) return isWanted ? withoutTime(bytes, !isWhole) : undefined;
    if (sinceNs !== undefined) isWanted = parseCriTime(line.time)! >= sinceNs;
    if (!isWanted) return undefined;
    return isWhole ? line : { ...line, partial: true };
  };
}

function withoutTime(content: Buffer, partial: boolean): LogLine {
  return { time: null, stream: null, partial, content };
}

function timeOf(path: string, since: Date | string): bigint {
  const text = typeof since === 'string' ? since : isNaN(+since) ? 'no time' : since.toISOString();
  const timeNs = parseCriTime(text);
  if (timeNs !== undefined) return timeNs;
  const hint = 'Give a Date, or RFC 3339 such as 2026-01-02T03:04:05.678Z.';
  throw unreadable(path, `since is ${JSON.stringify(text.slice(0, 80))}`, hint);
}

function unreadable(path: string, reason: string, hint: string, cause?: unknown): LogError {
  const options = cause === undefined ? { hint } : { hint, cause };
  return new LogError(path, 'read', reason, options);
}
