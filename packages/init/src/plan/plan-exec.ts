import type { ProcessConfig } from '../config/init-config.ts';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciProcess, OciSpec } from '../config/oci-spec.ts';
import { refuseUnsupported } from '../config/refuse-unsupported.ts';
import { planExecCpuAffinity } from './cpu-affinity.ts';
import { CLONE_NEWPID, CLONE_NEWUSER } from './namespaces.ts';
import type { NumberRanges } from './number-list.ts';
import { requireId } from './plan-launch.ts';
import { type ChildPlan, planProcess, type ProcessInput } from './plan-process.ts';
import { type Launcher, thisProcess } from './user-namespace.ts';

/** One process to be added to a running container, decided: pure data, nothing has been done yet. */
export type ExecPlan = ChildPlan & {
  /** The container's. */
  containerId: string;
  /** CLONE_NEW… of every namespace of the container that is not the launcher's. */
  namespaces: number;
  /** CPUs to stay on until it is in the container's cgroup. */
  initialCpus: NumberRanges | undefined;
  init: ProcessConfig;
};

export type ExecInput = ProcessInput & {
  container: {
    id: string;
    spec: OciSpec;
    /** CLONE_NEW… of every namespace that is not the launcher's. */
    namespaces: number;
    /** False where its user namespace forbids setgroups(2). */
    canSetGroups: boolean;
  };
  process: OciProcess;
  /** Default: this process. */
  launcher?: Launcher;
};

/**
 * Derives the plan of a process that enters a container. What `process` leaves out of
 * capabilities, limits, privileges and labels is the container's own, as under runc.
 *
 * @throws InvalidConfigError, UnsupportedConfigError
 */
export function planExec(input: ExecInput): ExecPlan {
  const { id, container } = input;
  requireId(id);
  const spec = validateSpec(
    { ...container.spec, process: withContainers(input.process, container.spec.process) },
    'the process',
  );
  refuseUnsupported(spec);
  const launcher = input.launcher ?? thisProcess();
  const { process, seccompAgent } = planProcess(spec, input);
  const { namespaces, canSetGroups } = container;
  const affinity = planExecCpuAffinity(spec.process.execCPUAffinity ?? undefined);
  // Only root's zygote may be told where its next child is born.
  const joinedBy =
    launcher.uid !== 0 && (namespaces & (CLONE_NEWPID | CLONE_NEWUSER)) !== 0 ? 'entry' : 'child';
  const own = namespaces & ~CLONE_NEWPID;
  const { oomScoreAdj } = process;
  const entrySetsOom = joinedBy === 'entry' && oomScoreAdj !== undefined;
  return {
    id,
    containerId: container.id,
    cloneFlags: 0,
    joinedBy,
    // The container's processes can see the child from its first moment.
    undumpable: true,
    ...(entrySetsOom ? { entryOomScoreAdj: oomScoreAdj } : {}),
    terminal: spec.process.terminal ?? false,
    seccompAgent,
    namespaces,
    initialCpus: affinity?.initial,
    init: {
      ...process,
      ...(entrySetsOom ? { oomScoreAdj: undefined } : {}),
      entering: true,
      joins:
        joinedBy === 'entry' || own === 0
          ? []
          : [{ flags: own, name: containerName(container.id) }],
      becomeRoot: (namespaces & CLONE_NEWUSER) !== 0,
      canSetGroups,
      cpus: affinity?.final,
    },
  };
}

/** How messages call the namespaces of a container. */
export const containerName = (id: string): string => `of container ${id}`;

function withContainers(process: OciProcess, containers: OciProcess): OciProcess {
  const { capabilities, rlimits, noNewPrivileges, apparmorProfile, selinuxLabel } = containers;
  const { oomScoreAdj, scheduler, ioPriority } = containers;
  const defaults = {
    capabilities,
    rlimits,
    noNewPrivileges,
    apparmorProfile,
    selinuxLabel,
    oomScoreAdj,
    scheduler,
    ioPriority,
  };
  const given = Object.entries(process).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return { ...defaults, ...Object.fromEntries(given) } as OciProcess;
}
