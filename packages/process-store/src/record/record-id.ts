import { randomBytes } from 'node:crypto';
import { InvalidIdError } from '../errors.ts';

const MAX_BYTES = 255;

/**
 * Checks an id: 1 to 255 of `A-Z a-z 0-9 _ + - .`, and neither `.` nor `..`.
 *
 * The characters are those runc accepts (libcontainer/factory_linux.go, validateID); the length is that of a file
 * name. Throws InvalidIdError.
 */
export function parseRecordId(id: unknown): string {
  if (typeof id !== 'string') throw new InvalidIdError(id, 'is not a string');
  if (id === '') throw new InvalidIdError(id, 'is empty');
  if (id === '.' || id === '..') throw new InvalidIdError(id, 'names a directory');
  const stranger = /[^\w+.-]/u.exec(id)?.[0];
  if (stranger !== undefined) {
    throw new InvalidIdError(id, `contains ${JSON.stringify(stranger)}`);
  }
  if (id.length > MAX_BYTES) throw new InvalidIdError(id, `is longer than ${MAX_BYTES} characters`);
  return id;
}

/** A fresh id of 16 hexadecimal digits. */
export function generateRecordId(): string {
  return randomBytes(8).toString('hex');
}
