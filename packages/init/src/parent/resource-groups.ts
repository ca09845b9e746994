import {
  createCgroupIfAllowed,
  enterCgroup,
  releaseCgroup,
  removeCgroup,
  startScopeOf,
  stopScopeOf,
} from '../cgroup/cgroup.ts';
import type { CgroupPlan } from '../cgroup/plan-cgroup.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import { createRdtGroups, enterRdtGroups } from '../rdt/rdt-group.ts';

/** The groups in which the kernel counts and limits a launch's processes: cgroups, and those of resctrl. */
export interface ResourceGroups {
  /** What removeCgroup must be given once the processes are gone; empty for groups of somebody else's. */
  readonly paths: string[];
  /** Those of `paths` that were made here: their counters began with this launch. */
  readonly made: readonly string[];
  /** Where a child can be born in its cgroup, the cgroup; then `enter` has nothing more to do there. */
  readonly birthplace: string | undefined;
  /** @returns whether there was anything to make. @throws LaunchError; nothing is left then */
  create(): Promise<boolean>;
  /** @returns whether there was anything to enter. @throws LaunchError */
  enter(pid: number): Promise<boolean>;
  /** After a child that entered and is gone, so that another one can enter in its place. */
  leave(): Promise<void>;
  /** Once the processes are gone. */
  release(): Promise<void>;
}

/** The groups that a launch makes for its container. */
export class OwnGroups implements ResourceGroups {
  readonly #plan: LaunchPlan;
  /**
   * Unset while there is none of this launch's own, to be killed, removed or stopped: where a rootless one goes on
   * without, and until systemd has made the scope, since one of that name may be somebody else's.
   */
  #cgroup: CgroupPlan | undefined;
  #rdt: readonly string[] = [];
  made: readonly string[] = [];

  constructor(plan: LaunchPlan) {
    this.#plan = plan;
  }

  get paths(): string[] {
    return [...(this.#cgroup?.directories.map(({ path }) => path) ?? []), ...this.#rdt];
  }

  /** With v2 alone nothing of the child ever runs outside of its cgroup; systemd has to move it there. */
  get birthplace(): string | undefined {
    const { directories, scope } = this.#cgroup ?? { directories: [] };
    if (scope !== undefined) return undefined;
    return directories.every(({ version }) => version === 2) ? directories[0]?.path : undefined;
  }

  async create(): Promise<boolean> {
    const { cgroup, rdt, rootless } = this.#plan;
    if (cgroup !== undefined && cgroup.scope === undefined) {
      const made = await createCgroupIfAllowed(cgroup, rootless);
      if (made !== undefined) {
        this.#cgroup = cgroup;
        this.made = made;
      }
    }
    if (rdt !== undefined) {
      try {
        this.#rdt = await createRdtGroups(rdt);
      } catch (error) {
        await this.release();
        throw error;
      }
    }
    return cgroup !== undefined || rdt !== undefined;
  }

  async enter(pid: number): Promise<boolean> {
    const { cgroup, rdt } = this.#plan;
    if (cgroup?.scope !== undefined) {
      await startScopeOf(cgroup, pid);
      this.#cgroup = cgroup;
      // Always a fresh one.
      this.made = this.paths;
    }
    const moves = this.#cgroup !== undefined && this.birthplace === undefined;
    if (moves) await enterCgroup(this.#cgroup!, pid);
    if (rdt !== undefined) await enterRdtGroups(rdt, pid);
    return moves || rdt !== undefined;
  }

  async leave(): Promise<void> {
    // systemd makes a scope around a process, and no second one of that name.
    if (this.#cgroup?.scope === undefined) return;
    await stopScopeOf(this.#cgroup);
    this.#cgroup = undefined;
  }

  async release(): Promise<void> {
    if (this.#cgroup !== undefined) await releaseCgroup(this.#cgroup);
    if (this.#rdt.length > 0) await removeCgroup(this.#rdt);
  }
}
