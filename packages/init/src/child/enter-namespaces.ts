import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import type { NamespaceToJoin } from '../config/init-config.ts';
import { CLONE_NEWUSER } from '../plan/namespaces.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/**
 * Joins namespaces, in runc's order: those first that the caller's own rights reach, then the user
 * namespace, then those that only its rights reach.
 *
 * @param fds the descriptors, in the order of `joins`
 */
export function enterNamespaces(
  sys: Syscall,
  joins: readonly NamespaceToJoin[],
  fds: readonly number[],
): void {
  const enter = (index: number): void => {
    const { flags, name } = joins[index]!;
    attempting(`join namespace ${name}`, { index, hint: hintFor }, () =>
      sys.setns(fds[index]!, flags, name),
    );
  };
  const isUser = ({ flags }: NamespaceToJoin): boolean => flags === CLONE_NEWUSER;
  const hasUser = joins.some(isUser);
  if (joins.some(({ flags }) => (flags & CLONE_NEWUSER) !== 0)) leaveGroups(sys);
  const later: number[] = [];
  for (const [index, join] of joins.entries()) {
    if (isUser(join)) continue;
    try {
      enter(index);
    } catch (error) {
      if (!hasUser || !isSyscallError((error as Error).cause, 'EPERM')) throw error;
      later.push(index);
    }
  }
  for (const [index, join] of joins.entries()) if (isUser(join)) enter(index);
  for (const index of later) enter(index);
}

/**
 * Before a user namespace is joined that may forbid setgroups(2), as one does that the processes in
 * it have made: the launcher's groups would come along, and nothing inside could take them away.
 */
function leaveGroups(sys: Syscall): void {
  try {
    sys.setgroups([]);
  } catch (error) {
    // An unprivileged launcher has to keep them; user_namespaces(7).
    if (!isSyscallError(error, 'EPERM')) throw error;
  }
}

function hintFor({ code }: SyscallError): string | undefined {
  switch (code) {
    case 'EINVAL':
      return 'The path must lead to a namespace of the type that is named with it; a user namespace must not be the own one.';
    case 'EPERM':
      return 'Joining needs CAP_SYS_ADMIN in the user namespace that owns this one: join that too, or launch as root.';
    case 'ESRCH':
      return 'The process whose namespaces were to be joined has ended.';
    default:
      return undefined;
  }
}
