import { open } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import { parseEventLine } from './append-events.ts';
import { type Cursor, formatCursor, parseCursor } from './cursor.ts';
import { listSegments, type Segment } from './segments.ts';
import type { LostEvents, StoreEvent } from './store-event.ts';

type JournalEntry = StoreEvent | LostEvents;

/** Reads a journal from one place on, as far as it goes, and again later from there. */
export class JournalReader {
  readonly #directory: string;
  /** Where to begin; undefined once that was found. */
  #since: Cursor | 'start' | 'now' | undefined;
  #segment: Segment | undefined;
  /** Bytes of the segment that were read. */
  #offset = 0;
  /** Up to here everything was told. */
  #told: Cursor | undefined;

  /** `since` is a cursor, `start` for everything that is kept, or undefined for what comes from now on. Throws InvalidCursorError. */
  constructor(directory: string, since: string | undefined) {
    this.#directory = directory;
    this.#since = since === undefined ? 'now' : since === 'start' ? since : parseCursor(since);
  }

  /** What has come since the last time; one file of the journal at most. */
  async read(): Promise<JournalEntry[]> {
    const segments = await listSegments(this.#directory);
    const found: JournalEntry[] = [];
    if (this.#since !== undefined) await this.#begin(segments, found);
    const segment = this.#place(segments, found);
    if (segment === undefined) return found;
    const lines = await this.#readLines(segment);
    for (const line of lines) {
      const entry = parseEventLine(line);
      // Not ours, whatever it is; or told before.
      if (entry === undefined || entry.seq <= (this.#told?.seq ?? 0)) continue;
      this.#told = { journal: segment.journal, seq: entry.seq };
      found.push({ ...entry.event, cursor: formatCursor(this.#told) });
    }
    const next = segments[segments.findIndex(({ path }) => path === segment.path) + 1];
    // Nobody appends to a file that has a successor. What was written to it before is read once more.
    if (lines.length === 0 && next !== undefined) {
      this.#segment = next;
      this.#offset = 0;
      return [...found, ...(await this.read())];
    }
    return found;
  }

  /** Finds where to begin, once there is a journal. */
  async #begin(segments: Segment[], found: JournalEntry[]): Promise<void> {
    const [oldest] = segments;
    const last = segments.at(-1);
    const since = this.#since;
    if (oldest === undefined || last === undefined || since === undefined) {
      // Whatever a new journal will hold comes from now on; for an old cursor, it is another journal.
      if (since === 'now') this.#since = 'start';
      return;
    }
    this.#since = undefined;
    if (since === 'now') {
      this.#segment = last;
      await this.#readLines(last);
      return;
    }
    if (since === 'start') {
      this.#segment = oldest;
      return;
    }
    const holding = segments.findLast(
      ({ journal, seq }) => journal === since.journal && seq <= since.seq + 1,
    );
    if (holding === undefined) return this.#lose(oldest, found);
    this.#segment = holding;
    this.#told = since;
  }

  /** The file to read; behind the oldest one, entries are lost. */
  #place(segments: Segment[], found: JournalEntry[]): Segment | undefined {
    const current = this.#segment;
    if (current === undefined) return undefined;
    if (segments.some(({ path }) => path === current.path)) return current;
    const [oldest] = segments;
    if (oldest !== undefined) this.#lose(oldest, found);
    return oldest;
  }

  #lose(oldest: Segment, found: JournalEntry[]): void {
    this.#segment = oldest;
    this.#offset = 0;
    this.#told = { journal: oldest.journal, seq: oldest.seq - 1 };
    found.push({ type: 'lost', cursor: formatCursor(this.#told) });
  }

  /** The whole lines that were appended since. */
  async #readLines(segment: Segment): Promise<string[]> {
    let text: Buffer;
    try {
      await using file = await open(segment.path);
      const { size } = await file.stat();
      const length = Math.max(0, size - this.#offset);
      if (length === 0) return [];
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, this.#offset);
      text = buffer.subarray(0, bytesRead);
    } catch (error) {
      // Removed since we looked: the next reading tells what that means.
      if (errnoCode(error) === 'ENOENT') return [];
      throw error;
    }
    // The rest is being written.
    const end = text.lastIndexOf(0x0a) + 1;
    this.#offset += end;
    return text.subarray(0, end).toString().split('\n').slice(0, -1);
  }
}
