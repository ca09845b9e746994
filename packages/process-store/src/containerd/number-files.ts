import { z } from 'zod';
import type { ExitRecord } from '../record/exit-record.ts';
import { parseRecord } from '../record/parse-record.ts';

// Three files that hold one decimal number and nothing else. Empty means "about to be written", whoever writes it.

/** The largest value of /proc/sys/kernel/pid_max on 64-bit machines; proc_sys_kernel(5). */
const MAX_PID = 4_194_304;
/** What later versions of containerd wrote for an end that nobody knows; also what a program may exit with. */
export const UNKNOWN_STATUS = 255;

const pidSchema: z.ZodType<number> = decimal(10)
  .transform(Number)
  .pipe(z.int().min(1).max(MAX_PID));
const ticksSchema: z.ZodType<bigint> = decimal(20).transform(BigInt);
const statusSchema: z.ZodType<number> = decimal(10)
  .transform(Number)
  .pipe(z.int().min(0).max(0xffff_ffff));

/** The pid in `pid`; undefined if it is not there yet, which anything but a pid means. */
export function parsePid(text: string): number | undefined {
  return pidSchema.safeParse(text).data;
}

/** The start time in `starttime`, in clock ticks since boot; undefined if it is not there yet. */
export function parseStartTime(text: string): bigint | undefined {
  return ticksSchema.safeParse(text).data;
}

/** The number in `exitStatus`; undefined for an empty file, which others leave for a moment. Throws BadRecordError. */
export function parseExitStatus(text: string, shown: string): number | undefined {
  return text === '' ? undefined : parseRecord(JSON.stringify(text), statusSchema, shown);
}

/** What `exitStatus` says for an end: the code, 128 + the signal, or 255 where nobody knows. */
export function exitStatusOf(exit: ExitRecord): number {
  switch (exit.kind) {
    case 'exited':
      return exit.code;
    case 'signaled':
      return 128 + exit.signal;
    case 'unknown':
      return UNKNOWN_STATUS;
  }
}

function decimal(maxDigits: number): z.ZodString {
  return z.string().regex(new RegExp(`^\\d{1,${maxDigits}}$`), 'must be a decimal number');
}
