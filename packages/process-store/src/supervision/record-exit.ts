import { type FileHandle, readFile } from 'node:fs/promises';
import type { WaitStatus } from '@pilotlight/scm-rights';
import { inside, writeOnce } from '../disk/write-once.ts';
import { errnoCode } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import {
  type ExitRecord,
  exitRecordSchema,
  type ExitSource,
  formatExitRecord,
  knownExit,
  type UnknownReason,
} from '../record/exit-record.ts';
import { parseRecord } from '../record/parse-record.ts';
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

/**
 * Writes `exit.json` and returns it, or the one that somebody wrote first. Needs no lock.
 *
 * The folder is given open: should it be deleted meanwhile, and its name be used again, nothing is written there; the
 * record is returned all the same.
 */
export async function recordExit(
  directory: FileHandle,
  subject: ExitSubject,
  finding: ExitFinding,
): Promise<ExitRecord> {
  const record = await makeExitRecord(subject, finding);
  try {
    if (await writeOnce(directory, recordFiles.exit, formatExitRecord(record))) return record;
    const path = inside(directory, recordFiles.exit);
    return parseRecord(await readFile(path, 'utf8'), exitRecordSchema, path);
  } catch (error) {
    // The folder was deleted: there is nothing left to record in, but what we know is still true.
    if (errnoCode(error) === 'ENOENT') return record;
    throw error;
  }
}

async function makeExitRecord(subject: ExitSubject, finding: ExitFinding): Promise<ExitRecord> {
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
