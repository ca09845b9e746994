import type { ProcessConfig } from '../config/init-config.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { hostSecurity, type HostSecurity } from '../lsm/host-security.ts';
import { planLabels } from '../lsm/plan-labels.ts';
import type { SeccompHost } from '../seccomp/host.ts';
import { planSeccomp, type SeccompAgent } from '../seccomp/plan-seccomp.ts';
import type { PlannedActivation } from './activation.ts';
import { planCapabilities } from './capabilities.ts';
import { planEnvironment } from './environment.ts';
import { planRlimits, type PlannedRlimit, RLIMIT_CORE, RLIMIT_NOFILE } from './rlimits.ts';
import { planScheduling } from './scheduling.ts';

/** The limits that this process would have without Node's and our own changes to them. */
export type InheritedLimits = {
  /** Soft RLIMIT_NOFILE before Node raised it to the hard one. */
  nofileSoft: bigint;
  nofileHard: bigint;
  /** RLIMIT_CORE, where the forking process gave up its own. */
  core?: { soft: bigint; hard: bigint };
};

/** What is decided of any child, whether it begins a container or enters one. */
export type ChildPlan = {
  id: string;
  /** For clone3(2). */
  cloneFlags: number;
  /**
   * Who joins namespaces. With a user namespace in play, an entry process: others may have to be
   * joined before a new one is made, or made after one is joined.
   */
  joinedBy: 'child' | 'entry';
  /** Closed to ptrace(2) from birth: others may be in its namespaces already. */
  undumpable: boolean;
  /** `process.oomScoreAdj`, where the entry process sets it; see EntryRequest. */
  entryOomScoreAdj?: number;
  terminal: boolean;
  /** Who gets the listener of the seccomp filter. */
  seccompAgent: SeccompAgent | undefined;
  init: ProcessConfig;
};

export type ProcessInput = {
  id: string;
  /** Absolute path of the bundle. */
  bundle: string;
  inheritedLimits?: InheritedLimits | undefined;
  /** Default: this machine's libseccomp and kernel. */
  seccompHost?: SeccompHost | undefined;
  /** Default: this host's. */
  security?: HostSecurity | undefined;
  /** A session keyring of the container's own. Default true. */
  newKeyring?: boolean | undefined;
  /** Of the descriptors that the program gets. */
  activation?: PlannedActivation | undefined;
};

/** The part of a child's config that does not depend on how it comes into its namespaces. */
export type PlannedProcess = Omit<
  ProcessConfig,
  'entering' | 'joins' | 'becomeRoot' | 'canSetGroups' | 'cpus'
>;

const defaultUmask = 0o022;

/**
 * Derives what becomes of `process`, and of what the rest of the specification says of every
 * process of the container.
 *
 * @throws InvalidConfigError, UnsupportedConfigError
 */
export function planProcess(
  spec: OciSpec,
  input: ProcessInput,
): { process: PlannedProcess; seccompAgent: SeccompAgent | undefined } {
  const { process } = spec;
  const seccomp = planSeccomp(spec, input.bundle, input.seccompHost);
  return {
    seccompAgent: seccomp?.agent,
    process: {
      id: input.id,
      args: process.args,
      env: planEnvironment(process.env ?? []),
      cwd: process.cwd,
      keyring: input.newKeyring === false ? undefined : `_ses.${input.id}`,
      console:
        process.terminal === true
          ? { height: process.consoleSize?.height ?? 0, width: process.consoleSize?.width ?? 0 }
          : undefined,
      activation: input.activation,
      labels: planLabels(spec, input.security ?? hostSecurity),
      scheduling: planScheduling(spec),
      rlimits: withInheritedLimits(planRlimits(process.rlimits ?? []), input.inheritedLimits),
      oomScoreAdj: process.oomScoreAdj,
      umask: process.user?.umask ?? defaultUmask,
      noNewPrivileges: process.noNewPrivileges ?? false,
      seccomp: seccomp?.seccomp,
      user: {
        uid: process.user?.uid ?? 0,
        gid: process.user?.gid ?? 0,
        additionalGids: process.user?.additionalGids ?? [],
      },
      // Without a list the program has no capability at all, as under runc.
      capabilities: planCapabilities(process.capabilities ?? {}),
    },
  };
}

/**
 * Node raises its soft limit of open files to the hard one, and a zygote may have no core files;
 * neither must reach the program.
 */
function withInheritedLimits(
  planned: PlannedRlimit[],
  inherited: InheritedLimits | undefined,
): PlannedRlimit[] {
  if (inherited === undefined) return planned;
  const { nofileSoft, nofileHard, core } = inherited;
  const restored: PlannedRlimit[] = [
    {
      type: 'RLIMIT_NOFILE',
      resource: RLIMIT_NOFILE,
      soft: String(nofileSoft),
      hard: String(nofileHard),
    },
  ];
  if (core !== undefined) {
    restored.push({
      type: 'RLIMIT_CORE',
      resource: RLIMIT_CORE,
      soft: String(core.soft),
      hard: String(core.hard),
    });
  }
  const given = new Set(planned.map(({ resource }) => resource));
  return [...planned, ...restored.filter(({ resource }) => !given.has(resource))];
}
