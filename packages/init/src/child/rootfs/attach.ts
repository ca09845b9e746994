import { isSyscallError } from '@pilotlight/scm-rights';
import {
  type AttributeChange,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NODIRATIME,
  type PropagationChange,
} from '../../plan/mount-options.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

/** Puts a detached mount on its place, which is closed, and gives it its propagation there. */
export function attach(
  sys: Syscall,
  tree: number,
  target: number,
  destination: string,
  propagation: readonly PropagationChange[],
): void {
  sys.moveMount(tree, target, destination);
  sys.close(target);
  changePropagation(sys, tree, propagation);
}

/** Of the mount whose root `mount` is; in order. */
export function changePropagation(
  sys: Syscall,
  mount: number,
  changes: readonly PropagationChange[],
): void {
  for (const { propagation, recursive } of changes) {
    sys.mountSetattr(mount, '', AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), {
      set: 0,
      clear: 0,
      propagation,
    });
  }
}

const accessTimes = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;

/**
 * Sets and clears attributes of a mount. What a more privileged user namespace has locked cannot
 * be cleared (EPERM, mount_namespaces(7)): it stays, and the mount becomes stricter than asked. Times
 * of access that are locked can neither be set nor cleared.
 */
export function changeAttributes(
  sys: Syscall,
  mount: number,
  { set, clear }: AttributeChange,
  recursive: boolean,
): void {
  if (set === 0 && clear === 0) return;
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  try {
    sys.mountSetattr(mount, '', flags, { set, clear, propagation: 0 });
  } catch (error) {
    const settable = set & ~accessTimes;
    if ((clear === 0 && settable === set) || !isSyscallError(error, 'EPERM')) throw error;
    if (settable !== 0)
      sys.mountSetattr(mount, '', flags, { set: settable, clear: 0, propagation: 0 });
  }
}
