import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { makeFolder } from '../disk/make-folder.ts';
import { takeLock } from '../disk/lock.ts';
import { errnoCode } from '../errors.ts';
import { exitRecordFields } from '../record/exit-record.ts';
import { formatCursor } from './cursor.ts';
import { listSegments, type Segment, segmentAt } from './segments.ts';
import {
  type EventFact,
  type EventLine,
  eventLineSchema,
  type EventSubject,
} from './store-event.ts';

/** Where a file of the journal is closed and another begun, in bytes. */
const SEGMENT_BYTES = 256 * 1024;
/** How many files are kept, some thousand events each. */
const SEGMENTS = 8;
const LOCK_DEADLINE_MS = 10_000;
/** More than any line; the last one is looked for in that much of the end. */
const TAIL_BYTES = 16 * 1024;

/** Of this process only one at a time tries to get the lock: the others would try in vain, again and again. */
const turns = new Map<string, Promise<unknown>>();

/** Where the last entry was that this process appended, by directory. */
const lastPlaces = new Map<string, { segment: Segment; seq: number; size: number; ino: bigint }>();

/**
 * Appends one event to the journal in `directory`, made if it is missing; returns its cursor, or undefined if the root has
 * gone.
 *
 * Whole or not at all: what a writer that was killed left of a line is cut off by the next, and readers wait for the end of
 * the line. Throws BusyError, and Node's error for what the file system refuses.
 */
export async function appendEvent(
  directory: string,
  subject: EventSubject,
  fact: EventFact,
): Promise<string | undefined> {
  const before = turns.get(directory);
  const turn = (async () => {
    await before?.catch(() => undefined);
    return appendInTurn(directory, subject, fact);
  })();
  turns.set(directory, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(directory) === turn) turns.delete(directory);
  }
}

async function appendInTurn(
  directory: string,
  subject: EventSubject,
  fact: EventFact,
): Promise<string | undefined> {
  using lock = await lockJournal(directory);
  if (lock === undefined) return undefined;
  const { segment, seq } = (await placeAfterOwn(directory)) ?? (await placeForNext(directory));
  const event = {
    key: subject.key,
    pid: subject.pid,
    startTicks: subject.startTicks,
    bootId: subject.bootId,
    time: new Date().toISOString(),
    monotonicNs: process.hrtime.bigint(),
    ...fact,
  };
  await using file = await open(segment.path, 'a', 0o600);
  lastPlaces.delete(directory);
  await file.write(formatEventLine({ schema: 1, seq, event }));
  await file.datasync();
  const { size, ino } = await file.stat({ bigint: true });
  lastPlaces.set(directory, { segment, seq, size: Number(size), ino });
  return formatCursor({ journal: segment.journal, seq });
}

async function lockJournal(directory: string) {
  const lockPath = join(directory, 'lock');
  const options = { deadlineMs: LOCK_DEADLINE_MS };
  const lock = await takeLock(lockPath, 'exclusive', options);
  if (lock !== undefined) return lock;
  try {
    await makeFolder(directory);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return takeLock(lockPath, 'exclusive', options);
}

/** Where the next entry goes if nobody has appended since we did, which saves reading the end. */
async function placeAfterOwn(
  directory: string,
): Promise<{ segment: Segment; seq: number } | undefined> {
  const last = lastPlaces.get(directory);
  if (last === undefined || last.size >= SEGMENT_BYTES) return undefined;
  try {
    const { size, ino } = await stat(last.segment.path, { bigint: true });
    if (ino !== last.ino || size !== BigInt(last.size)) return undefined;
    return { segment: last.segment, seq: last.seq + 1 };
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
    lastPlaces.delete(directory);
    return undefined;
  }
}

/** Where the next entry goes; old files are removed on the way. The caller holds the journal's lock. */
async function placeForNext(directory: string): Promise<{ segment: Segment; seq: number }> {
  const segments = await listSegments(directory);
  const last = segments.at(-1);
  if (last === undefined) {
    const first = { journal: randomBytes(4).toString('hex'), seq: 1 };
    return { segment: segmentAt(directory, first), seq: 1 };
  }
  await using file = await open(last.path, constants.O_RDWR);
  const { size, seq } = await mendEnd(file, last);
  if (size < SEGMENT_BYTES && seq !== undefined) return { segment: last, seq: seq + 1 };
  for (const old of segments.slice(0, Math.max(0, segments.length + 1 - SEGMENTS))) {
    await rm(old.path, { force: true });
  }
  const next = (seq ?? (await countLines(file, last))) + 1;
  return { segment: segmentAt(directory, { journal: last.journal, seq: next }), seq: next };
}

/** Cuts off half a line, and tells the number of the last whole one; undefined if that cannot be read. */
async function mendEnd(
  file: FileHandle,
  { seq: first }: Segment,
): Promise<{ size: number; seq: number | undefined }> {
  const { size } = await file.stat();
  const from = Math.max(0, size - TAIL_BYTES);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, from);
  const tail = buffer.subarray(0, bytesRead);
  const end = tail.lastIndexOf(0x0a) + 1;
  if (end < tail.length) await file.truncate(from + end);
  if (end === 0) return { size: from, seq: from === 0 ? first - 1 : undefined };
  const start = tail.lastIndexOf(0x0a, end - 2) + 1;
  const line = parseEventLine(tail.subarray(start, end - 1).toString());
  return { size: from + end, seq: line?.seq };
}

/** For a file that somebody else wrote into: an upper bound of the numbers in it. */
async function countLines(file: FileHandle, { seq: first }: Segment): Promise<number> {
  const text = await file.readFile('latin1');
  return first + text.split('\n').length;
}

/** A line of the journal, its newline included. 64-bit numbers are digits in strings. */
export function formatEventLine(line: EventLine): string {
  const { event } = line;
  const text = event.type === 'exit' ? { ...event, exit: exitRecordFields(event.exit) } : event;
  return `${JSON.stringify({ ...line, event: text }, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )}\n`;
}

/** The entry in a line; undefined for what is none. */
export function parseEventLine(line: string): EventLine | undefined {
  try {
    return eventLineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
