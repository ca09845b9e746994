import { isSyscallError, syscallError } from '@pilotlight/scm-rights';
import { procDestination } from '../../plan/proc-destination.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

/** A file inside the root, and the one path without links that leads to it. */
export type Place = {
  /** An O_PATH descriptor. */
  fd: number;
  /** Absolute, from the root. */
  path: string;
  /** It was not there before. */
  made: boolean;
};

const ELOOP = 40;
/** As many links as the kernel follows, path_resolution(7). */
const maxLinks = 40;
/** How often a name may turn out to be something else than a moment before. */
const maxSurprises = 100;

/**
 * Opens the place of a mount inside the root, made if it is missing. `made` tells whether it was.
 *
 * @throws Error when links of the image lead to the root itself or into /proc, where the
 *   configuration did not say the mount goes
 */
export function openMountTarget(
  sys: Syscall,
  root: number,
  destination: string,
  kind: 'directory' | 'file',
): Place {
  const place = openPlace(sys, root, destination, kind);
  if (place.path === destination || isAllowed(place.path, destination)) return place;
  throw new Error(`links in the root file system lead ${destination} to ${place.path}`);
}

/** The plan has looked at the destination; what links make of it only shows here (CVE-2023-27561). */
function isAllowed(path: string, destination: string): boolean {
  if (path === '/') return destination === '/';
  return procDestination(path) === 'outside' || procDestination(destination) === 'replaceable';
}

/**
 * Opens a path inside the root, made if it is missing.
 *
 * Links are followed, but never out of the root, and there is no moment between a check and a use
 * in which one could be swapped (CVE-2021-30465): a path without links is opened at once, by the
 * kernel and against the root's descriptor; else each name is opened by itself, in the directory
 * opened before it, and the text of a link is followed from here.
 */
export function openPlace(
  sys: Syscall,
  root: number,
  path: string,
  kind: 'directory' | 'file',
): Place {
  const names = namesOf(path);
  const whole = openPlain(sys, root, names.join('/') || '.');
  if (typeof whole === 'number') return { fd: whole, path: `/${names.join('/')}`, made: false };
  return walk(sys, root, names, kind);
}

type Step = { fd: number; name: string };

function walk(sys: Syscall, root: number, names: string[], kind: 'directory' | 'file'): Place {
  const steps: Step[] = [];
  const pending = [...names];
  const current = (): number => steps.at(-1)?.fd ?? root;
  let links = 0;
  let surprises = 0;
  let made = false;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '..') {
      const left = steps.pop();
      if (left !== undefined) sys.close(left.fd);
      continue;
    }
    const opened = openPlain(sys, current(), name);
    if (typeof opened === 'number') {
      steps.push({ fd: opened, name });
      continue;
    }
    // Never for ever: somebody may be swapping names all the time.
    if (++surprises > maxSurprises) throw syscallError(ELOOP, 'openat2', name);
    if (opened === 'missing') {
      made = pending.length === 0;
      make(sys, current(), name, made && kind === 'file' ? 'file' : 'directory');
      pending.unshift(name);
      continue;
    }
    const target = readLink(sys, current(), name);
    if (target === undefined) pending.unshift(name);
    else {
      if (++links > maxLinks) throw syscallError(ELOOP, 'readlinkat', name);
      if (target.startsWith('/')) for (const { fd } of steps.splice(0)) sys.close(fd);
      pending.unshift(...namesOf(target));
    }
  }
  const path = steps.map(({ name }) => name).join('/');
  const last = steps.pop();
  for (const { fd } of steps) sys.close(fd);
  if (last !== undefined && links === 0) return { fd: last.fd, path: `/${path}`, made };
  // Once more and at once: a directory may have been moved out of the root on the way.
  if (last !== undefined) sys.close(last.fd);
  const fd = sys.openat2(root, path || '.', O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  return { fd, path: `/${path}`, made };
}

/** Another launch on the same root may be faster: what is there then is looked at again. */
function make(sys: Syscall, parent: number, name: string, kind: 'directory' | 'file'): void {
  try {
    if (kind === 'file') sys.close(sys.createFile(parent, name, 0o755));
    else sys.mkdirat(parent, name, 0o755);
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
}

function readLink(sys: Syscall, parent: number, name: string): string | undefined {
  try {
    return sys.readlinkat(parent, name);
  } catch (error) {
    // Not a link any more, or gone.
    if (isSyscallError(error, 'EINVAL') || isSyscallError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** A descriptor, unless nothing is there or a link is on the way. */
function openPlain(sys: Syscall, root: number, path: string): number | 'missing' | 'link' {
  try {
    return sys.openat2(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT')) return 'missing';
    if (isSyscallError(error, 'ELOOP')) return 'link';
    throw error;
  }
}

const namesOf = (path: string): string[] =>
  path.split('/').filter((name) => name !== '' && name !== '.');
