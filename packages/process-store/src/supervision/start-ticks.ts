import { readFileSync } from 'node:fs';
import { errnoCode } from '../errors.ts';

/** Field 22 counts from 1; after the name, which is field 2, field 3 comes first. */
const INDEX_AFTER_NAME = 22 - 3;

/** When a pid's process started, in clock ticks since boot; undefined if there is none. proc_pid_stat(5), field 22. */
export function readStartTicks(pid: number): bigint | undefined {
  try {
    return parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** The start time in the text of /proc/pid/stat; undefined if it is not there. */
export function parseStartTicks(stat: string): bigint | undefined {
  // A program may put blanks and parentheses into its name: only the last one ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = fields[INDEX_AFTER_NAME];
  return field !== undefined && /^\d+$/.test(field) ? BigInt(field) : undefined;
}
