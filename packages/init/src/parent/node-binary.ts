import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { isSyscallError, type OwnedFd, type SyscallError } from '@pilotlight/scm-rights';
import { ZygoteError } from '../errors.ts';
import { cloneReadOnly } from '../syscall/clone-read-only.ts';

/** What a zygote is started from. */
export type NodeBinary = Disposable & {
  /** For spawn(2). Good until this object is disposed of; a process that was started does not need it. */
  readonly path: string;
  /** Its name, for messages and process lists. */
  readonly name: string;
  /** The zygote must make the clone itself, because this process may not. */
  readonly cloneInZygote: boolean;
};

/**
 * The Node binary as a zygote may be run from it without a container ever being able to overwrite
 * it (CVE-2019-5736): a forked child is an instance of that file until it runs its program, and a
 * hostile image can make it run /proc/self/exe.
 *
 * - With CAP_SYS_ADMIN: from a read-only clone of its mount, see cloneReadOnly.
 * - Without it, and with a binary that this user cannot change: as it is. Nobody in a container of
 *   this user has more rights over it.
 * - Else the zygote makes the clone, in a user namespace.
 *
 * @param nodePath a path, or a name to look up in this process's PATH
 * @throws ZygoteError where the kernel cannot clone it, or it is a script
 */
export async function protectedNodeBinary(nodePath: string): Promise<NodeBinary> {
  const name = findBinary(nodePath);
  requireBinary(name);
  let clone: OwnedFd;
  try {
    clone = cloneReadOnly(name);
  } catch (error) {
    if (isSyscallError(error, 'EPERM')) {
      return { ...plainNodeBinary(name), cloneInZygote: canChange(name) };
    }
    // Spawning it says so in the usual way.
    if (isSyscallError(error, 'ENOENT') || isSyscallError(error, 'EACCES')) {
      return plainNodeBinary(name);
    }
    // This process itself runs from a clone, which belongs to no mount namespace.
    if (isSyscallError(error, 'EINVAL') && name === ownBinary) return plainNodeBinary(name);
    throw await unclonable(name, error);
  }
  return {
    // In the new process, between its fork and its exec, the descriptor is still open.
    path: `/proc/self/fd/${clone.fd}`,
    name,
    cloneInZygote: false,
    [Symbol.dispose]: () => clone.close(),
  };
}

/** Imported late: only where something is wrong. */
async function unclonable(name: string, cause: unknown): Promise<ZygoteError> {
  const { hintFromHost } = await import('../host/hint-from-host.ts');
  const { thisHost } = await import('../host/host.ts');
  const { message, syscall, code: errnoCode } = cause as SyscallError;
  const hint = hintFromHost({ step: 'zygote', message, syscall, errnoCode }, thisHost);
  return new ZygoteError(`the Node binary ${name} cannot be cloned read-only: ${message}`, {
    cause,
    hint:
      hint ??
      'It needs Linux 5.12, as launching does; inside an outer container its seccomp profile must allow open_tree and mount_setattr.',
  });
}

/** The binary as it is. */
export function plainNodeBinary(nodePath: string): NodeBinary {
  const name = findBinary(nodePath);
  return { path: name, name, cloneInZygote: false, [Symbol.dispose]: () => undefined };
}

const ownBinary = '/proc/self/exe';

function findBinary(nodePath: string): string {
  // What Node says of itself when it was started from a detached mount.
  if (nodePath === '/') return ownBinary;
  // Absolute: the zygote's working directory is another one.
  if (nodePath.includes('/')) return resolve(nodePath);
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(directory, nodePath);
    if (directory !== '' && allows(candidate, constants.X_OK)) return candidate;
  }
  return nodePath;
}

/** A script would be run from the clone, and the binary that it runs in the end would not. */
function requireBinary(path: string): void {
  const magic = Buffer.alloc(2);
  try {
    const fd = openSync(path, 'r');
    readSync(fd, magic);
    closeSync(fd);
  } catch {
    // One may be allowed to run what one may not read; what is missing, spawning it says.
    return;
  }
  if (magic.toString('latin1') !== '#!') return;
  throw new ZygoteError(`${path} is a script, not the Node binary`, {
    hint: 'Name the binary itself; `process.execPath` tells it.',
  });
}

/** Whether this user may write to the file, or may give itself the right to. */
function canChange(path: string): boolean {
  if (allows(path, constants.W_OK)) return true;
  try {
    return statSync(path).uid === process.geteuid?.();
  } catch {
    return false;
  }
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
