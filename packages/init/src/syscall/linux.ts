import { type Libc, loadLibc } from '@pilotlight/scm-rights/libc';
import { credentialCalls } from './calls/credentials.ts';
import { descriptorCalls } from './calls/descriptors.ts';
import { fileCalls } from './calls/files.ts';
import { mountCalls } from './calls/mounts.ts';
import { namespaceCalls } from './calls/namespaces.ts';
import { netlinkCalls } from './calls/netlink.ts';
import { processCalls } from './calls/process.ts';
import { schedulingCalls } from './calls/scheduling.ts';
import { seccompCalls } from './calls/seccomp.ts';
import { spawnCalls } from './calls/spawn.ts';
import { terminalCalls } from './calls/terminal.ts';
import { treeCalls } from './calls/trees.ts';
import { createKernel } from './kernel.ts';
import type { Syscall } from './syscall.ts';

/**
 * The kernel calls, made through libc.
 *
 * Everything is declared and every buffer allocated here, once, before the first fork: a child
 * that had to do so would pay for it in page faults.
 */
export function createLinuxSyscall(libc: Libc = loadLibc()): Syscall {
  const kernel = createKernel(libc);
  return {
    ...credentialCalls(kernel),
    ...descriptorCalls(kernel),
    ...fileCalls(kernel),
    ...mountCalls(kernel),
    ...namespaceCalls(kernel),
    ...netlinkCalls(kernel),
    ...processCalls(kernel),
    ...schedulingCalls(kernel),
    ...seccompCalls(kernel),
    ...spawnCalls(kernel),
    ...terminalCalls(kernel),
    ...treeCalls(kernel),
  };
}
