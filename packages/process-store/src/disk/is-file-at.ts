import { fstatSync, statSync } from 'node:fs';
import { type FdLike, fdNumber } from '@pilotlight/scm-rights';

/** Whether what is at `path` now is the open file. Throws Node's error for a path that cannot be looked at. */
export function isFileAt(path: string, open: FdLike): boolean {
  const now = statSync(path, { bigint: true, throwIfNoEntry: false });
  const mine = fstatSync(fdNumber(open), { bigint: true });
  return now !== undefined && now.ino === mine.ino && now.dev === mine.dev;
}
