import { loadLibc } from '@pilotlight/scm-rights/libc';
import { SYS_seccomp } from './number.ts';

// seccomp(2)
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_GET_ACTION_AVAIL = 2;
const EFAULT = 14;

/**
 * Whether this kernel knows all these flags of SECCOMP_SET_MODE_FILTER; seccomp(2). Loads nothing:
 * the kernel looks at the flags first, and fails with EFAULT when it then finds no filter.
 */
export function kernelKnowsSeccompFlags(flags: number): boolean {
  const libc = loadLibc();
  return libc.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, 0) === -1
    ? libc.errno() === EFAULT
    : false;
}

/** Whether this kernel knows what a filter returns for an action; seccomp(2), Linux 4.14. */
export function kernelKnowsSeccompAction(action: number): boolean {
  const libc = loadLibc();
  const value = new Uint32Array([action]);
  const result = libc.syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, libc.address(value));
  // Still used here, so that it was not collected while the kernel read it.
  return result === 0 && value.length === 1;
}
