import { isSyscallError } from '@pilotlight/scm-rights';
import type { InitConfig } from '../config/init-config.ts';
import { AT_FDCWD, O_RDONLY } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { PROC_SUPER_MAGIC } from './procfs.ts';
import { attempting } from './step-failure.ts';

/**
 * Lets go of the groups of the launching process, which mean something else in this user namespace.
 *
 * A namespace that was joined may forbid setgroups(2), as every one does that an unprivileged user
 * made with its own id alone: then the groups stay, as the kernel wants it; user_namespaces(7).
 *
 * @returns whether groups can be set in this user namespace
 */
export function dropGroups(sys: Syscall, { canSetGroups, user }: InitConfig): boolean {
  if (!canSetGroups) return false;
  try {
    sys.setgroups([]);
    return true;
  } catch (error) {
    if (!isSyscallError(error, 'EPERM') || !isForbidden(sys)) throw error;
    if (user.additionalGids.length === 0) return false;
    return attempting('set process.user.additionalGids', { hint: () => forbiddenHint }, () => {
      throw error;
    });
  }
}

const forbiddenHint =
  'The user namespace that is joined forbids setgroups(2): leave process.user.additionalGids empty.';

/** Only the kernel's word for it counts: this may be a container's /proc. */
function isForbidden(sys: Syscall): boolean {
  const path = '/proc/self/setgroups';
  let fd: number;
  try {
    fd = sys.openat2(AT_FDCWD, path, O_RDONLY, 0);
  } catch {
    return false;
  }
  const isProcfs = sys.filesystemType(fd, path) === PROC_SUPER_MAGIC;
  const text = isProcfs ? new TextDecoder().decode(sys.readAll(fd, path)) : '';
  sys.close(fd);
  return text.trim() === 'deny';
}
