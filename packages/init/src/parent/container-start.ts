import type { InitConfig } from '../config/init-config.ts';
import { withoutOwnCgroup } from '../plan/cgroup-mounts.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import type { PlannedHooks } from '../plan/hooks.ts';
import type { MovedNetDevice } from '../plan/net-devices.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import { answerMountPlease, type MountAnswer } from './answer-mount-please.ts';
import type { SeccompQuestion } from './answer-seccomp.ts';
import { runHooks, runPlannedPoststop } from './hooks/launch-hooks.ts';
import { moveNetDevices } from './net-devices.ts';
import { openNamespaces, type OpenNamespaces } from './open-namespaces.ts';
import type { PhaseClock } from './phases.ts';
import { OwnGroups } from './resource-groups.ts';
import type { HookOptions, LifecycleHooks, Undertaking } from './undertaking.ts';
import { writeIdMaps } from './write-id-maps.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

/** The start of a container with its first process. */
export class ContainerStart implements Undertaking {
  readonly plan: LaunchPlan;
  readonly groups: OwnGroups;
  readonly hooks: LifecycleHooks;
  isRepeatable = true;

  constructor(plan: LaunchPlan) {
    this.plan = plan;
    this.groups = new OwnGroups(plan);
    this.hooks = new ContainerHooks(plan);
  }

  requireSupport(zygote: Zygote): void {
    zygote.requireSupport?.(this.plan);
  }

  openNamespaces(): OpenNamespaces {
    return openNamespaces(this.plan);
  }

  async readyChild(child: ForkedChild, clock: PhaseClock): Promise<InitConfig> {
    const { idMaps, netDevices } = this.plan;
    const init = this.#withCgroupsAsTheyAre();
    if (idMaps !== undefined) {
      await writeIdMaps(child.pid, idMaps);
      clock.mark('id maps');
    }
    if (netDevices === undefined) return init;
    const moved: MovedNetDevice[] = [];
    try {
      await moveNetDevices(netDevices, child.pid, moved);
    } finally {
      // With its namespace the kernel destroys them, or takes them to the host under another name.
      this.isRepeatable = moved.length === 0;
    }
    clock.mark('net devices');
    return { ...init, netDevices: moved };
  }

  /** Whoever may make no cgroup has mounts all the same that show one. */
  #withCgroupsAsTheyAre(): InitConfig {
    const { cgroup, init } = this.plan;
    if (cgroup === undefined) return init;
    const { paths } = this.groups;
    if (cgroup.directories.every(({ path }) => paths.includes(path))) return init;
    return { ...init, mounts: withoutOwnCgroup(init.mounts) };
  }

  containerOf({ pid }: ForkedChild): SeccompQuestion['container'] {
    return { id: this.plan.id, pid, status: 'creating' };
  }

  readonly answerMountPlease = (arg: string, zygote: Zygote): Promise<MountAnswer> =>
    answerMountPlease(arg, this.plan, zygote);
}

class ContainerHooks implements LifecycleHooks {
  readonly planned: PlannedHooks | undefined;
  /** In a pid namespace of the container's own none outlives its first process. */
  readonly mayOutliveChild: boolean;

  constructor({ hooks, init, cloneFlags }: LaunchPlan) {
    this.planned = hooks;
    this.mayOutliveChild = init.hooks !== undefined && (cloneFlags & CLONE_NEWPID) === 0;
  }

  /** runtime.md, Lifecycle, steps 3 and 4. */
  async beforePivot({ pid }: ForkedChild, options: HookOptions): Promise<boolean> {
    if (this.planned === undefined) return false;
    const state = { status: 'creating', pid } as const;
    await runHooks(this.planned, 'prestart', state, options);
    await runHooks(this.planned, 'createRuntime', state, options);
    return true;
  }

  /** A hook that fails now ends the program; runtime.md, Lifecycle, step 9. */
  async afterExec({ pid }: ForkedChild, options: HookOptions): Promise<boolean> {
    if (this.planned === undefined || this.planned.poststart.length === 0) return false;
    await runHooks(this.planned, 'poststart', { status: 'running', pid }, options);
    return true;
  }

  /** Nothing of the container is left; not even an aborted launch spares itself these. */
  async afterEnd(options: HookOptions, onWarning?: (warning: Error) => void): Promise<void> {
    if (this.planned === undefined) return;
    await runPlannedPoststop(this.planned, { ...options, signal: undefined, onWarning });
  }
}
