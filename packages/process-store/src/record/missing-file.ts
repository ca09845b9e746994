import { BadRecordError } from '../errors.ts';

/** The error for a record that lacks a file which is written before one that is there. */
export function missingFile(path: string, name: string): BadRecordError {
  return new BadRecordError(`${path}/${name}`, 'it is missing, though later files are there');
}
