import type { FileHandle } from 'node:fs/promises';
import type { WaitStatus } from '@pilotlight/scm-rights';
import { inside, writeOnce } from '../disk/write-once.ts';
import { errnoCode, isDiskRefusal } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import {
  type ExitRecord,
  exitRecordSchema,
  type ExitSource,
  formatExitRecord,
  knownExit,
  type UnknownReason,
} from '../record/exit-record.ts';
import { readRecord } from '../record/parse-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { Observation } from './observe.ts';
import { readOom } from './read-oom.ts';

/** What was found out about an end. */
export type ExitFinding =
  | { status: WaitStatus; source: ExitSource; exitedAt?: string }
  | { reason: UnknownReason };

/** The record an end belongs to. */
export interface ExitSubject {
  id: string;
  released: boolean;
  cgroupPaths: readonly string[];
}

/** What an observation of an end found out. */
export function findingOf(seen: Extract<Observation, { kind: 'ended' | 'lost' }>): ExitFinding {
  return seen.kind === 'lost'
    ? { reason: seen.reason }
    : { status: seen.status, source: seen.source };
}

/** Whose end it is. */
export function subjectOf({
  proc,
  released,
}: {
  proc: Pick<ProcRecord, 'id' | 'cgroupPaths'>;
  released: boolean;
}): ExitSubject {
  return { id: proc.id, released, cgroupPaths: proc.cgroupPaths };
}

/**
 * Writes `exit.json` and returns it, or the one that somebody wrote first. Needs no lock.
 *
 * The folder is given open: should it be deleted meanwhile, and its name be used again, nothing is written there; the
 * record of a known end is returned all the same, for an unknown one Node's ENOENT is thrown. Throws DiskError,
 * BadRecordError.
 */
export async function recordExit(
  directory: FileHandle,
  subject: ExitSubject,
  finding: ExitFinding,
): Promise<ExitRecord> {
  return storeExit(directory, await describeExit(subject, finding));
}

/**
 * As {@link recordExit}, where the truth is wanted whether or not the disk takes it: `recorded` is false if it does not,
 * because it is full or read-only, and then whoever holds the status has to keep it.
 */
export async function tryRecordExit(
  directory: FileHandle,
  subject: ExitSubject,
  finding: ExitFinding,
): Promise<{ exit: ExitRecord; recorded: boolean }> {
  const exit = await describeExit(subject, finding);
  try {
    return { exit: await storeExit(directory, exit), recorded: true };
  } catch (error) {
    if (isDiskRefusal(error)) return { exit, recorded: false };
    throw error;
  }
}

/** Writes an exit that is known; see {@link recordExit}. */
export async function storeExit(directory: FileHandle, exit: ExitRecord): Promise<ExitRecord> {
  try {
    if (await writeOnce(directory, recordFiles.exit, formatExitRecord(exit))) return exit;
    const path = inside(directory, recordFiles.exit);
    return (await readRecord(path, exitRecordSchema)) ?? exit;
  } catch (error) {
    // The folder was deleted: there is nothing left to record in, but what we know is still true. That nothing tells how it
    // ended we do not know: whoever deleted the record may have been told.
    if (errnoCode(error) === 'ENOENT' && exit.kind !== 'unknown') return exit;
    throw error;
  }
}

/** The record of an end, nowhere written yet. */
export async function describeExit(
  subject: ExitSubject,
  finding: ExitFinding,
): Promise<ExitRecord> {
  const { id, released: started, cgroupPaths } = subject;
  const observedAt = new Date().toISOString();
  if ('reason' in finding) {
    const { reason } = finding;
    return { kind: 'unknown', id, started, exitedAt: null, observedAt, reason };
  }
  const { status, source, exitedAt = null } = finding;
  const oom = await readOom(cgroupPaths);
  return knownExit(status, { id, started, exitedAt, observedAt, oom, source });
}
