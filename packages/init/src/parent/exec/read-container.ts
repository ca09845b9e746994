import { readFile, readlink } from 'node:fs/promises';
import {
  type FdLike,
  fdNumber,
  pidfdInfo,
  pidfdState,
  isScmRightsError,
  isSyscallError,
} from '@pilotlight/scm-rights';
import { LaunchError } from '../../errors.ts';
import { namespaceKinds } from '../../plan/namespaces.ts';

/** What must be known of a container's first process to enter its container. */
export type ContainerFacts = {
  /** In this process's pid namespace. */
  pid: number;
  /** CLONE_NEW… of every namespace that is not this process's own. */
  namespaces: number;
  /** False where its user namespace forbids setgroups(2). */
  canSetGroups: boolean;
};

/**
 * Looks at a running process by its pidfd: what is read by number counts only because the process
 * is still there afterwards.
 *
 * @throws LaunchError with step `container` when it has ended, or may not be looked at
 */
export async function readContainer(id: string, pidfd: FdLike): Promise<ContainerFacts> {
  try {
    const pid = await pidOf(pidfd);
    const flags = await Promise.all(
      Object.values(namespaceKinds).map(async ({ flag, file }) => {
        const [theirs, own] = await Promise.all([
          linkIfThere(`/proc/${pid}/ns/${file}`),
          linkIfThere(`/proc/self/ns/${file}`),
        ]);
        return theirs === own ? 0 : flag;
      }),
    );
    const setgroups = await readFile(`/proc/${pid}/setgroups`, 'utf8');
    if (pidfdState(pidfd) !== 'running') throw hasEnded(id);
    return {
      pid,
      namespaces: flags.reduce((all, flag) => all | flag, 0),
      canSetGroups: setgroups.trim() !== 'deny',
    };
  } catch (cause) {
    if (cause instanceof LaunchError) throw cause;
    const { code, path } = cause as NodeJS.ErrnoException;
    if (isOver(pidfd)) throw hasEnded(id, cause);
    throw new LaunchError({
      step: 'container',
      message: `look at the first process of container ${id}: ${code ?? String(cause)}`,
      ...(code === undefined ? {} : { errnoCode: code }),
      ...(path === undefined ? {} : { path }),
      cause,
      hint: 'Entering a container takes root, or the user who launched it.',
    });
  }
}

/** Whether a container's first process has ended; also when somebody else has noticed, and closed the pidfd. */
export function isOver(pidfd: FdLike): boolean {
  try {
    return pidfdState(pidfd) !== 'running';
  } catch (error) {
    if (!isScmRightsError(error)) throw error;
    return true;
  }
}

export function hasEnded(id: string, cause?: unknown): LaunchError {
  return new LaunchError({
    step: 'container',
    message: `enter container ${id}: its first process has ended`,
    errnoCode: 'ESRCH',
    hint: 'A process can only be added to a container that runs.',
    ...(cause === undefined ? {} : { cause }),
  });
}

async function pidOf(pidfd: FdLike): Promise<number> {
  try {
    const { pid } = pidfdInfo(pidfd);
    if (pid !== undefined) return pid;
  } catch (error) {
    if (!isSyscallError(error)) throw error;
  }
  // Before Linux 6.13.
  const text = await readFile(`/proc/self/fdinfo/${fdNumber(pidfd)}`, 'utf8');
  return Number(/^Pid:\s*(-?\d+)$/m.exec(text)?.[1] ?? -1);
}

/** A kernel without a kind of namespace has no file for it. */
async function linkIfThere(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
