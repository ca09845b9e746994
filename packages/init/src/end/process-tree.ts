import type { OwnedFd } from '@pilotlight/scm-rights';
import { removeCgroup } from '../cgroup/cgroup.ts';
import { killCgroup } from '../cgroup/kill.ts';
import { TreeAliveError } from '../errors.ts';
import { signalProcess } from './signal-process.ts';

/** What of a launched program's processes can be found. */
export type TreeParts = {
  id: string;
  /** Of the program's first process. */
  pidfd: OwnedFd;
  /** The first process is the init of a pid namespace of its own. */
  ownsPidNamespace: boolean;
  cgroupPaths: readonly string[];
};

/**
 * The program with everything that it started.
 *
 * In a pid namespace of its own it all dies with the first process, whose end is not told before
 * the last one is gone (pid_namespaces(7)). Without one, its cgroup is what holds it together.
 * Where there is neither, only the first process is known.
 */
export class ProcessTree {
  readonly #parts: TreeParts;
  #killing: Promise<void> = Promise.resolve();

  constructor(parts: TreeParts) {
    this.#parts = parts;
  }

  /** Begins to kill: the first process before this returns, the others as they are found. */
  kill(): void {
    const { pidfd, ownsPidNamespace, cgroupPaths } = this.#parts;
    if (!pidfd.closed) signalProcess(pidfd, 'SIGKILL');
    if (ownsPidNamespace || cgroupPaths.length === 0) return;
    // What still lives then is found again, and told of, by `requireGone`.
    this.#killing = killCgroup(cgroupPaths).catch(() => undefined);
  }

  /** Resolves when a kill that was begun has done what it can. */
  killed(): Promise<void> {
    return this.#killing;
  }

  /**
   * For a tree whose first process was reaped: proves that nothing of it is left, by the removal
   * of its cgroup, which the kernel refuses while a process is in it.
   *
   * @throws TreeAliveError when a process does not die, or somebody else's cgroup is in the way
   */
  async requireGone(): Promise<void> {
    const { id, cgroupPaths } = this.#parts;
    let busy = await removeCgroup(cgroupPaths);
    if (busy.length > 0) {
      // Whether that was enough, the removal tells.
      await killCgroup(busy).catch(() => undefined);
      busy = await removeCgroup(busy);
    }
    if (busy.length > 0) throw new TreeAliveError(id, busy);
  }
}
