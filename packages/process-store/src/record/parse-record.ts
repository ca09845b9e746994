import { readFile } from 'node:fs/promises';
import { parseExactJson } from '@pilotlight/sync';
import type { z } from 'zod';
import { BadRecordError, errnoCode, messageOf } from '../errors.ts';

/** Reads and checks one file of the store; undefined if there is none. `shown` is its path in messages. Throws BadRecordError. */
export async function readRecord<T>(
  path: string,
  schema: z.ZodType<T>,
  shown: string = path,
): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw new BadRecordError(shown, messageOf(error), error);
  }
  return parseRecord(text, schema, shown);
}

/** Checks the text of a file of the store. Throws BadRecordError. */
export function parseRecord<T>(text: string, schema: z.ZodType<T>, shown: string): T {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    throw new BadRecordError(shown, `it is not JSON (${messageOf(error)})`, error);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
  throw new BadRecordError(shown, `${field}: ${issue?.message ?? 'is not valid'}`, result.error);
}
