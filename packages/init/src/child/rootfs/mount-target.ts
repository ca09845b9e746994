import { isSyscallError } from '@pilotlight/scm-rights';
import { O_PATH, RESOLVE_IN_ROOT } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

/**
 * Opens the place of a mount inside the root, made if it is missing.
 *
 * Links are followed, but never out of the root: the kernel resolves the whole path against the
 * root's descriptor (openat2 with RESOLVE_IN_ROOT), so there is no moment between a check and the
 * mount in which a link could be swapped (CVE-2021-30465).
 *
 * @returns an O_PATH descriptor
 */
export function openMountTarget(
  sys: Syscall,
  root: number,
  destination: string,
  kind: 'directory' | 'file',
): number {
  const names = destination.split('/').filter((name) => name !== '');
  const whole = openInRoot(sys, root, names.join('/') || '.');
  if (whole !== undefined) return whole;

  let parent = root;
  for (const [depth, name] of names.entries()) {
    const path = names.slice(0, depth + 1).join('/');
    let next = openInRoot(sys, root, path);
    if (next === undefined) {
      const isFile = depth === names.length - 1 && kind === 'file';
      next = makeAndOpen(sys, root, path, () => {
        if (isFile) sys.close(sys.createFile(parent, name, 0o755));
        else sys.mkdirat(parent, name, 0o755);
      });
    }
    if (parent !== root) sys.close(parent);
    parent = next;
  }
  return parent;
}

/** EEXIST: another launch on the same root was faster, or a link is there that leads nowhere inside it. */
function makeAndOpen(sys: Syscall, root: number, path: string, make: () => void): number {
  try {
    make();
  } catch (error) {
    const made = isSyscallError(error, 'EEXIST') ? openInRoot(sys, root, path) : undefined;
    if (made === undefined) throw error;
    return made;
  }
  return sys.openat2(root, path, O_PATH, RESOLVE_IN_ROOT);
}

/** An O_PATH descriptor, or `undefined` where nothing is. */
export function openInRoot(sys: Syscall, root: number, path: string): number | undefined {
  try {
    return sys.openat2(root, path, O_PATH, RESOLVE_IN_ROOT);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
