import { type FileHandle, stat } from 'node:fs/promises';
import { openDirectory } from '../disk/open-directory.ts';
import { inside } from '../disk/write-once.ts';
import { BadRecordError, errnoCode, NotFoundError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import { lockRecord, type LockedRecord } from '../record/lock-record.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { missingFile, requireUnfinished } from '../record/require-recorded.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import { isComplete, type RecordFacts, readFacts } from '../record/read-facts.ts';
import { type SpecSummary, summarizeSpec, type SpecRecord } from '../record/spec-record.ts';
import { parseRecordKey } from '../record/record-key.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { here } from '../supervision/here.ts';
import { type Observation, observe } from '../supervision/observe.ts';
import { recover, type Recovered } from '../supervision/recover.ts';
import { settleHeldBack } from '../supervision/settle-held-back.ts';

const LOCK_DEADLINE_MS = 10_000;
const READINGS = 3;

/** A record of a process, complete. */
export interface ProcessFacts extends RecordFacts {
  spec: SpecRecord;
  proc: ProcRecord;
  exit: ExitRecord | undefined;
  summary: SpecSummary;
}

/** A record as it stands, looked at without any lock. */
export interface RecordView {
  /** The folder, open: it stays this record's whatever happens to the name. */
  directory: FileHandle;
  /** Undefined while a launch has not recorded its process, or died before it could. */
  facts: ProcessFacts | undefined;
  /** What the kernel says, if there is no exit. */
  seen: Observation | undefined;
}

/**
 * Looks at a record and hands it to `use`; closes what it opened for that.
 *
 * With `generation` only at that process: a later one of the same id is not found. Throws NotFoundError, BadRecordError.
 */
export async function viewRecord<T>(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
  use: (view: RecordView) => Promise<T> | T,
): Promise<T> {
  const path = root.layout.record(id);
  await using directory = await openRecord(root, id, path);
  const read = await readOpen(root, id, directory, path);
  const facts = requireProcess(path, read, generation);
  if (facts === 'other') throw await notFound(root, id);
  const pinPath = inside(directory, recordFiles.pin);
  const seen =
    facts === undefined || facts.exit !== undefined
      ? undefined
      : observe(facts.proc, pinPath, here());
  try {
    return await use({ directory, facts, seen });
  } finally {
    closeObservation(seen);
  }
}

/** A record under its lock, recovered. */
export interface LockedView {
  record: LockedRecord;
  facts: ProcessFacts;
  seen: Observation | undefined;
}

/**
 * Locks a record, recovers it, and hands it to `use`; undefined if nothing was left of it after recovery.
 *
 * Waits up to `deadlineMs` for the lock, ten seconds if not given. Throws NotFoundError, BadRecordError, BusyError,
 * HeldBackError.
 */
export async function withRecord<T>(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
  use: (view: LockedView) => Promise<T> | T,
  options: { deadlineMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<T | undefined> {
  const work = () => useLocked(root, id, generation, use, options);
  return settleHeldBack(root.layout, id, work, options);
}

async function useLocked<T>(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
  use: (view: LockedView) => Promise<T> | T,
  options: { deadlineMs?: number; signal?: AbortSignal | undefined },
): Promise<T | undefined> {
  const { deadlineMs = LOCK_DEADLINE_MS, signal } = options;
  const path = root.layout.record(id);
  using rootLock = await root.enter(signal);
  if (rootLock === undefined) throw await notFound(root, id);
  await using record = await lockRecord(id, path, { deadlineMs, signal });
  if (record === undefined) throw await notFound(root, id);
  const recovered = await recoverHeld(root, id, record);
  if (recovered === undefined) return undefined;
  try {
    const facts = requireProcess(path, recovered.facts, generation);
    if (facts === 'other' || facts === undefined) throw await notFound(root, id);
    return await use({ record, facts, seen: recovered.seen });
  } finally {
    closeObservation(recovered.seen);
  }
}

async function recoverHeld(
  root: StoreRoot,
  id: string,
  record: LockedRecord,
): Promise<Recovered | undefined> {
  try {
    return await recover(root.layout, record, here(), undefined, root.atExit);
  } catch (error) {
    // Somebody removes what is locked, by hand.
    if (errnoCode(error) === 'ENOENT' && !(await isStillAt(record.path, record.directory))) {
      throw await notFound(root, id);
    }
    throw error;
  }
}

/** The error for an id that is not there, naming those that are. */
export async function notFound(root: StoreRoot, key: string): Promise<NotFoundError> {
  const { container, exec } = parseRecordKey(key);
  const existing = exec === undefined ? await root.ids() : await root.execs(container);
  return new NotFoundError(key, root.layout.root, existing);
}

/** Closes the pidfd of an observation, if it has one. */
export function closeObservation(seen: Observation | undefined): void {
  if (seen !== undefined && 'pidfd' in seen) seen.pidfd.close();
}

async function openRecord(root: StoreRoot, id: string, path: string): Promise<FileHandle> {
  try {
    return await openDirectory(path);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') throw await notFound(root, id);
    if (errnoCode(error) === 'ENOTDIR' || errnoCode(error) === 'ELOOP') {
      throw new BadRecordError(path, 'it is not a directory', error);
    }
    throw error;
  }
}

async function readOpen(
  root: StoreRoot,
  id: string,
  directory: FileHandle,
  path: string,
): Promise<RecordFacts> {
  let facts: RecordFacts | undefined;
  try {
    // Without the lock a file may come while the folder is read, and be missed though a later one is seen.
    for (let reading = 0; reading < READINGS; reading++) {
      facts = await readFacts(directory, path);
      if (isComplete(facts)) return facts;
    }
  } catch (error) {
    // Deleted between opening and reading.
    if (errnoCode(error) === 'ENOENT') throw await notFound(root, id);
    throw error;
  }
  // Or it is being deleted, file by file.
  if (facts === undefined || !(await isStillAt(path, directory))) throw await notFound(root, id);
  return facts;
}

async function isStillAt(path: string, directory: FileHandle): Promise<boolean> {
  const mine = await directory.stat({ bigint: true });
  try {
    const current = await stat(path, { bigint: true });
    return current.ino === mine.ino && current.dev === mine.dev;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function requireProcess(
  path: string,
  facts: RecordFacts,
  generation: Generation | undefined,
): ProcessFacts | undefined | 'other' {
  const { spec, proc } = facts;
  if (proc === undefined) {
    requireUnfinished(path, facts);
    return undefined;
  }
  if (spec === undefined) throw missingFile(path, recordFiles.spec);
  if (generation !== undefined && !isSameGeneration(proc, generation)) return 'other';
  const summary = summarizeSpec(spec.spec);
  if (summary === undefined) {
    throw new BadRecordError(`${path}/${recordFiles.spec}`, 'spec: is no OCI specification');
  }
  return { ...facts, spec, proc, summary };
}
