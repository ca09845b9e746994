import type { FdLike } from '@pilotlight/scm-rights';
import type { ProcessConfig } from '../../config/init-config.ts';
import { CLONE_NEWPID } from '../../plan/namespaces.ts';
import { containerName, type ExecPlan } from '../../plan/plan-exec.ts';
import { setCpuAffinityOf } from '../../syscall/cpu-affinity.ts';
import type { SeccompQuestion } from '../answer-seccomp.ts';
import type { OpenNamespaces } from '../open-namespaces.ts';
import type { Undertaking } from '../undertaking.ts';
import type { ForkedChild } from '../zygote.ts';
import type { ContainerGroups } from './container-groups.ts';
import type { ContainerFacts } from './read-container.ts';

/** A process that is added to a running container. */
export class ContainerEntry implements Undertaking {
  readonly plan: ExecPlan;
  readonly groups: ContainerGroups;
  readonly isRepeatable = true;
  readonly #container: ContainerFacts & { pidfd: FdLike; frozen: boolean };

  constructor(
    plan: ExecPlan,
    container: ContainerFacts & { pidfd: FdLike; frozen: boolean },
    groups: ContainerGroups,
  ) {
    this.plan = plan;
    this.#container = container;
    this.groups = groups;
  }

  /** By the pidfd of the container's first process: all at once, and of no other process ever. */
  openNamespaces(): OpenNamespaces {
    const { joinedBy, namespaces, containerId } = this.plan;
    const { pidfd } = this.#container;
    const name = containerName(containerId);
    const join = (flags: number): { fd: FdLike; flags: number; name: string }[] =>
      flags === 0 ? [] : [{ fd: pidfd, flags, name }];
    const request =
      joinedBy === 'entry'
        ? { joinedBy, joins: join(namespaces) }
        : {
            joinedBy,
            joins: join(namespaces & ~CLONE_NEWPID),
            ...((namespaces & CLONE_NEWPID) === 0 ? {} : { pidNamespace: pidfd }),
          };
    return { request, [Symbol.dispose]: () => undefined };
  }

  async readyChild({ pid }: ForkedChild): Promise<ProcessConfig> {
    const { init, initialCpus } = this.plan;
    // Before it is in the container's cgroup, which may have other CPUs.
    if (initialCpus !== undefined) setCpuAffinityOf(pid, initialCpus);
    return init;
  }

  async beforeRun({ pid }: ForkedChild): Promise<void> {
    // A frozen cgroup stops who enters it: everything but the program has been done by now.
    if (this.#container.frozen) await this.groups.enterLate(pid);
  }

  containerOf(): SeccompQuestion['container'] {
    return { id: this.plan.containerId, pid: this.#container.pid, status: 'running' };
  }
}
