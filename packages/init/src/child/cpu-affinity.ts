import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import { CPU_MASK_BYTES } from '../plan/cpu-affinity.ts';
import { type NumberRanges, numberMask } from '../plan/number-list.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/** Keeps this process and its children on some CPUs; sched_setaffinity(2). */
export function setCpuAffinity(sys: Syscall, cpus: NumberRanges): void {
  attempting('set CPU affinity', { hint: affinityHint }, () =>
    sys.schedSetaffinity(numberMask(cpus, CPU_MASK_BYTES)),
  );
}

/**
 * Gives this process, and with it every child to come, all CPUs that its cgroup has: whoever
 * started it may have been pinned to a few. A cgroup that is entered later narrows them again.
 */
export function resetCpuAffinity(sys: Syscall): void {
  try {
    sys.schedSetaffinity(new Uint8Array(CPU_MASK_BYTES).fill(0xff));
  } catch (error) {
    // An outer container may forbid it; what it allows us is then what our children have.
    if (!isSyscallError(error)) throw error;
  }
}

function affinityHint({ code }: SyscallError): string | undefined {
  return code === 'EINVAL'
    ? 'None of these CPUs is online and in the cpuset of the cgroup; see cpuset.cpus.effective.'
    : undefined;
}
