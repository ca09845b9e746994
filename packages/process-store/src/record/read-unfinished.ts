import { readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { inside } from '../disk/write-once.ts';
import { recordFiles } from '../layout.ts';
import { readRecord } from './parse-record.ts';
import { type ProcRecord, procRecordSchema } from './proc-record.ts';

/** A recorded process without an exit. */
export interface Unfinished {
  proc: ProcRecord;
  released: boolean;
  /** Whether the file of the pin exists. */
  hasPin: boolean;
}

/**
 * Reads of a record only what watching its process takes. `pending`: it has no process yet. `finished`: its end is recorded
 * and told, and its pin removed. `path` is the folder's name in messages. Throws BadRecordError.
 */
export async function readUnfinished(
  directory: FileHandle,
  path: string,
): Promise<Unfinished | 'pending' | 'finished'> {
  const names = new Set(await readdir(inside(directory, '')));
  const isFinished = names.has(recordFiles.exit) && names.has(recordFiles.toldExit);
  if (isFinished && !names.has(recordFiles.pin)) return 'finished';
  if (!names.has(recordFiles.proc)) return 'pending';
  const file = inside(directory, recordFiles.proc);
  const proc = await readRecord(file, procRecordSchema, `${path}/${recordFiles.proc}`);
  return proc === undefined
    ? 'pending'
    : { proc, released: names.has(recordFiles.released), hasPin: names.has(recordFiles.pin) };
}
