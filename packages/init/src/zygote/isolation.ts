import { readFileSync } from 'node:fs';
import type { Syscall } from '../syscall/syscall.ts';

const RLIMIT_CORE = 4;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/**
 * Keeps this process's memory, which its children have copies of, from debuggers and core dumps.
 *
 * Root's zygote is not dumpable from its start, so no child of it ever is before its program,
 * not for an instant. Another user's must stay so: /proc files of a process that is not belong to
 * root, and nobody could write its children's id maps. It has no core files instead; the limit
 * is given back to the program with the others, see inheritedLimits.
 */
export function keepMemoryPrivate(sys: Syscall): void {
  if (process.geteuid?.() === 0) {
    sys.setDumpable(false);
    return;
  }
  const [, hard] =
    /^Max core file size\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  const limit = hard === undefined || hard === 'unlimited' ? RLIM_INFINITY : BigInt(hard);
  sys.prlimit(RLIMIT_CORE, 0n, limit);
}
