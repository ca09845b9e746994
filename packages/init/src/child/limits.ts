import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import { type PlannedRlimit, RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK } from '../plan/rlimits.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/** What this process, much larger than most programs, needs memory by itself. */
const isOfMemory = ({ resource }: PlannedRlimit): boolean =>
  [RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK].includes(resource);

/**
 * Sets limits; those of memory are only lifted, so that they can be set later without
 * CAP_SYS_RESOURCE: a garbage collection that gets no memory would end this process.
 */
export function setLimits(sys: Syscall, limits: readonly PlannedRlimit[]): void {
  for (const limit of limits) {
    if (isOfMemory(limit)) lift(sys, limit);
    else set(sys, limit);
  }
}

/** Sets the limits of memory; as little as possible may happen in this process afterwards. */
export function setMemoryLimits(sys: Syscall, limits: readonly PlannedRlimit[]): void {
  for (const limit of limits) if (isOfMemory(limit)) set(sys, limit);
}

const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

function lift(sys: Syscall, { resource }: PlannedRlimit): void {
  try {
    sys.prlimit(resource, RLIM_INFINITY, RLIM_INFINITY);
  } catch (error) {
    // Without CAP_SYS_RESOURCE a limit can only be lowered, which can be done later, too.
    if (!isSyscallError(error, 'EPERM')) throw error;
  }
}

const set = (sys: Syscall, { type, resource, soft, hard }: PlannedRlimit): void =>
  attempting(`set ${type}`, { hint: limitHint }, () =>
    sys.prlimit(resource, BigInt(soft), BigInt(hard)),
  );

function limitHint({ code }: SyscallError): string | undefined {
  return code === 'EPERM'
    ? 'Raising a hard limit needs CAP_SYS_RESOURCE, and open files are bounded by /proc/sys/fs/nr_open; see setrlimit(2).'
    : undefined;
}
