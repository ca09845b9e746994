import { syscallError } from '@pilotlight/scm-rights';
import { loadLibc } from '@pilotlight/scm-rights/libc';
import { CPU_MASK_BYTES } from '../plan/cpu-affinity.ts';
import { type NumberRanges, numberMask } from '../plan/number-list.ts';
import { SYS_sched_setaffinity } from './number.ts';

/**
 * Keeps another process on some CPUs; sched_setaffinity(2). By number: only for a child that is not
 * reaped yet.
 *
 * @throws SyscallError
 */
export function setCpuAffinityOf(pid: number, cpus: NumberRanges): void {
  const libc = loadLibc();
  const mask = numberMask(cpus, CPU_MASK_BYTES);
  if (libc.syscall(SYS_sched_setaffinity, pid, mask.length, libc.address(mask)) !== -1) return;
  throw syscallError(libc.errno(), 'sched_setaffinity', {
    path: 'process.execCPUAffinity.initial',
    hint: 'None of these CPUs is online and in the cpuset of this process; see cpuset.cpus.effective.',
  });
}
