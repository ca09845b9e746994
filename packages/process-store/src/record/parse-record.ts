import { parseExactJson } from '@pilotlight/sync';
import type { z } from 'zod';
import { readBounded } from '../disk/read-bounded.ts';
import { BadRecordError, errnoCode, messageOf } from '../errors.ts';
import { migrateRecord, onlyVersion, type RecordFormat } from './schema-version.ts';

/** No file of the store is bigger; a specification comes nearest, and is refused at launch if it is. */
export const MAX_RECORD_BYTES: number = 16 * 1024 * 1024;

/** These say something of us or of this moment, and nothing of the file. */
const PASSING = ['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR'];

/**
 * Reads and checks one file of the store; undefined if there is none. `shown` is its path in messages.
 *
 * Throws BadRecordError, NewerSchemaError, and Node's error where this process has no descriptor or memory left.
 */
export async function readRecord<T>(
  path: string,
  format: z.ZodType<T> | RecordFormat<T>,
  shown: string = path,
): Promise<T | undefined> {
  let text: string;
  try {
    text = await readBounded(path, MAX_RECORD_BYTES);
  } catch (error) {
    const code = errnoCode(error) ?? '';
    if (code === 'ENOENT') return undefined;
    if (PASSING.includes(code)) throw error;
    throw new BadRecordError(shown, messageOf(error), error);
  }
  return parseRecord(text, format, shown);
}

/** Checks the text of a file of the store, of whichever version. Throws BadRecordError, NewerSchemaError. */
export function parseRecord<T>(
  text: string,
  format: z.ZodType<T> | RecordFormat<T>,
  shown: string,
): T {
  if (text === '') throw new BadRecordError(shown, 'it is empty');
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    throw new BadRecordError(shown, `it is not JSON (${messageOf(error)})`, error);
  }
  const versioned = 'migrations' in format ? format : onlyVersion(format);
  const result = versioned.schema.safeParse(migrateRecord(value, versioned, shown));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
  throw new BadRecordError(shown, `${field}: ${issue?.message ?? 'is not valid'}`, result.error);
}
