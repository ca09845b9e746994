import { readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { inside, temporaryName } from '../disk/temporary-file.ts';
import { recordFiles } from '../layout.ts';
import { type ExitRecord, exitRecordSchema } from './exit-record.ts';
import { readRecord } from './parse-record.ts';
import { type ProcRecord, procRecordSchema } from './proc-record.ts';
import { type SpecRecord, specRecordSchema } from './spec-record.ts';

const OURS: ReadonlySet<string> = new Set([...Object.values(recordFiles), 'stdout', 'stderr']);

/** What the files of one record say. */
export interface RecordFacts {
  spec: SpecRecord | undefined;
  proc: ProcRecord | undefined;
  released: boolean;
  exit: ExitRecord | undefined;
  /** Whether the file of the pin exists; whether a pin is on it, only the mount table of this namespace knows. */
  pinFile: boolean;
  /** Whether somebody asked for its end: then no policy starts it again. */
  stopAsked: boolean;
  /** What of it is in the journal of events. */
  told: { start: boolean; exit: boolean };
  /** Whether something was executed in it. */
  hasExecs: boolean;
  /** Whether there are temporary files, of writers that may be dead. */
  hasTemporaries: boolean;
  /** Whether there is any file at all besides the lock. */
  empty: boolean;
  /** Names in the folder that are none of ours. */
  strangers: readonly string[];
}

/** Reads a record from its open folder; `path` is that folder's name in messages. Throws BadRecordError. */
export async function readFacts(directory: FileHandle, path: string): Promise<RecordFacts> {
  const names = new Set(await readdir(inside(directory, '')));
  const read = async <T>(name: string, schema: Parameters<typeof readRecord<T>>[1]) =>
    names.has(name) ? readRecord(inside(directory, name), schema, `${path}/${name}`) : undefined;
  const [spec, proc, exit] = await Promise.all([
    read(recordFiles.spec, specRecordSchema),
    read(recordFiles.proc, procRecordSchema),
    read(recordFiles.exit, exitRecordSchema),
  ]);
  return {
    spec,
    proc,
    released: names.has(recordFiles.released),
    exit,
    pinFile: names.has(recordFiles.pin),
    stopAsked: names.has(recordFiles.stop),
    told: { start: names.has(recordFiles.toldStart), exit: names.has(recordFiles.toldExit) },
    hasExecs: names.has(recordFiles.execs),
    hasTemporaries: [...names].some((name) => temporaryName.test(name)),
    empty: ![...names].some((name) => name !== recordFiles.lock && !name.startsWith('.')),
    strangers: [...names].filter((name) => !OURS.has(name) && !temporaryName.test(name)),
  };
}

/** Whether no file is missing that was written before one that is there. */
export function isComplete({ spec, proc, released, exit }: RecordFacts): boolean {
  if (proc === undefined) return exit === undefined && !released;
  return spec !== undefined;
}
