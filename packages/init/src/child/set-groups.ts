import { isSyscallError } from '@pilotlight/scm-rights';
import type { Syscall } from '../syscall/syscall.ts';
import { withProcfs } from './procfs.ts';
import { attempting } from './step-failure.ts';

/**
 * Sets the supplementary groups; none takes those of the launching process away.
 *
 * A user namespace may forbid setgroups(2): every one does that an unprivileged user made with its own
 * group alone, and all below it. None are asked for there, and the launching process's stay, which
 * the kernel does not let anybody drop; user_namespaces(7).
 *
 * @throws StepFailure where groups are asked for and cannot be set
 */
export function setGroups(sys: Syscall, groups: number[]): void {
  try {
    sys.setgroups(groups);
  } catch (error) {
    if (!isSyscallError(error, 'EPERM') || !isForbidden(sys)) throw error;
    if (groups.length === 0) return;
    attempting('set process.user.additionalGids', { hint: () => forbiddenHint }, () => {
      throw error;
    });
  }
}

const forbiddenHint =
  'The user namespace forbids setgroups(2), see user_namespaces(7): leave process.user.additionalGids empty.';

function isForbidden(sys: Syscall): boolean {
  try {
    return withProcfs(sys, (procfs) => procfs.read('self/setgroups')).trim() === 'deny';
  } catch {
    return false;
  }
}
