import { BadRecordError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { RecordFacts } from './read-facts.ts';

/** The error for a record that lacks a file which is written before one that is there. */
export function missingFile(path: string, name: string): BadRecordError {
  return new BadRecordError(`${path}/${name}`, 'it is missing, though later files are there');
}

/**
 * Checks that a folder without `proc.json` is what a launch leaves that is under way or died early. Only such a one is
 * removed without being asked for. Throws BadRecordError.
 */
export function requireUnfinished(path: string, { released, exit, strangers }: RecordFacts): void {
  if (released || exit !== undefined) throw missingFile(path, recordFiles.proc);
  const [stranger] = strangers;
  if (stranger === undefined) return;
  throw new BadRecordError(path, `it records no process, and holds ${JSON.stringify(stranger)}`);
}
