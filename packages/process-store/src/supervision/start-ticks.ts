import { readFileSync } from 'node:fs';
import { errnoCode } from '../errors.ts';

/** Fields count from 1; after the name, which is field 2, field 3 comes first. */
const START_INDEX = 22 - 3;

/** A process as /proc/pid/stat has it at one moment. */
export interface ProcStat {
  /** One letter; `Z` and `X` are dead. */
  state: string;
  /** In clock ticks since boot. */
  startTicks: bigint;
}

/** When a pid's process started, in clock ticks since boot; undefined if there is none. proc_pid_stat(5), field 22. */
export function readStartTicks(pid: number): bigint | undefined {
  return readProcStat(pid)?.startTicks;
}

/** State and start of a pid's process, from one reading; undefined if there is none. proc_pid_stat(5), fields 3 and 22. */
export function readProcStat(pid: number): ProcStat | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** The start time in the text of /proc/pid/stat; undefined if it is not there. */
export function parseStartTicks(stat: string): bigint | undefined {
  return parseProcStat(stat)?.startTicks;
}

function parseProcStat(stat: string): ProcStat | undefined {
  // A program may put blanks and parentheses into its name: only the last one ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const start = fields[START_INDEX];
  if (state === undefined || start === undefined || !/^\d+$/.test(start)) return undefined;
  return { state, startTicks: BigInt(start) };
}
