import { release } from 'node:os';
import { getegid, geteuid } from 'node:process';
import { type Hierarchy, readHierarchies } from '../cgroup/hierarchies.ts';
import { type CgroupManager, type CgroupPlan, planCgroup } from '../cgroup/plan-cgroup.ts';
import type { InitConfig } from '../config/init-config.ts';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { refuseUnsupported } from '../config/refuse-unsupported.ts';
import { InvalidConfigError } from '../errors.ts';
import { hostSecurity, type HostSecurity } from '../lsm/host-security.ts';
import { labelMounts, planLabels } from '../lsm/plan-labels.ts';
import { type PlannedActivation } from './activation.ts';
import { planRdt, type RdtPlan } from '../rdt/plan-rdt.ts';
import { hostResctrl, type Resctrl } from '../rdt/resctrl.ts';
import { planCapabilities } from './capabilities.ts';
import { devLinks, planDevices } from './devices.ts';
import { planEnvironment } from './environment.ts';
import { childHooks, planHooks, type PlannedHooks } from './hooks.ts';
import { planMounts } from './mounts.ts';
import { type NetDevicesPlan, planNetDevices } from './net-devices.ts';
import type { SeccompHost } from '../seccomp/host.ts';
import { planSeccomp, type SeccompAgent } from '../seccomp/plan-seccomp.ts';
import { type PlannedJoin, planNamespaces } from './namespaces.ts';
import { planRootfs } from './rootfs.ts';
import { planTimeOffsets } from './time-namespace.ts';
import { type Launcher, planIdMaps, type PlannedIdMaps } from './user-namespace.ts';
import { planRlimits, type PlannedRlimit, RLIMIT_CORE, RLIMIT_NOFILE } from './rlimits.ts';
import { planScheduling } from './scheduling.ts';
import { planSysctls } from './sysctl.ts';

const thisProcess = (): Launcher => ({
  uid: geteuid?.() ?? 0,
  gid: getegid?.() ?? 0,
});

/** The limits that this process would have without Node's and our own changes to them. */
export type InheritedLimits = {
  /** Soft RLIMIT_NOFILE before Node raised it to the hard one. */
  nofileSoft: bigint;
  nofileHard: bigint;
  /** RLIMIT_CORE, where the forking process gave up its own. */
  core?: { soft: bigint; hard: bigint };
};

/** One launch, decided: pure data, nothing has been done yet. */
export type LaunchPlan = {
  id: string;
  /** For clone3(2). */
  cloneFlags: number;
  joins: PlannedJoin[];
  /**
   * Who joins them. With a user namespace in play, an entry process: others may have to be joined
   * before a new one is made, or made after one is joined.
   */
  joinedBy: 'child' | 'entry';
  /** The launcher is not root. */
  rootless: boolean;
  /** Of a new user namespace. */
  idMaps: PlannedIdMaps | undefined;
  /** Closed to ptrace(2) from birth: others may be in its namespaces already. */
  undumpable: boolean;
  cgroup: CgroupPlan | undefined;
  terminal: boolean;
  /** Absolute path of the bundle: where the runtime's hooks run. */
  bundle: string;
  hooks: PlannedHooks | undefined;
  /** Who gets the listener of the seccomp filter. */
  seccompAgent: SeccompAgent | undefined;
  netDevices: NetDevicesPlan | undefined;
  rdt: RdtPlan | undefined;
  init: InitConfig;
};

export type PlanInput = {
  id: string;
  spec: OciSpec;
  /** Absolute path of the bundle. */
  bundle: string;
  hierarchies?: readonly Hierarchy[];
  cgroupManager?: CgroupManager;
  inheritedLimits?: InheritedLimits;
  /** Default: this machine's libseccomp and kernel. */
  seccompHost?: SeccompHost;
  /** Default: this process. */
  launcher?: Launcher;
  /** Default: this kernel's. */
  kernelRelease?: string;
  /** Move the root over the old one instead of pivot_root(2); see LaunchOptions. */
  noPivot?: boolean;
  /** Default: this host's. */
  security?: HostSecurity;
  /** Default: this host's. */
  resctrl?: Resctrl;
  /** A session keyring of the container's own. Default true. */
  newKeyring?: boolean;
  /** Of the descriptors that the program gets. */
  activation?: PlannedActivation | undefined;
};

const defaultUmask = 0o022;

/**
 * Derives the plan of a launch from a valid specification.
 *
 * @throws InvalidConfigError where fields contradict each other
 * @throws UnsupportedConfigError where a field would have to be ignored
 */
export function planLaunch(input: PlanInput): LaunchPlan {
  const { id, bundle } = input;
  requireId(id);
  // Again, for a specification that was made or changed in code: a NUL byte would cut what follows it.
  const spec = validateSpec(input.spec, 'the specification');
  const hierarchies = input.hierarchies ?? readHierarchies();
  refuseUnsupported(spec);
  const labels = planLabels(spec, input.security ?? hostSecurity);
  const namespaces = planNamespaces(spec);
  const launcher = input.launcher ?? thisProcess();
  const idMaps = planIdMaps(spec, namespaces, launcher);
  const timeOffsets = planTimeOffsets(spec, namespaces, input.kernelRelease ?? release());
  const { joins } = namespaces;
  const joinedBy = namespaces.user !== undefined && joins.length > 0 ? 'entry' : 'child';
  const cgroup = planCgroup(spec, id, hierarchies, { manager: input.cgroupManager });
  if (cgroup !== undefined && hierarchies.length === 0) {
    throw new InvalidConfigError(
      'linux',
      'linux: the configuration wants a cgroup and no hierarchy is mounted',
      {
        hint: 'Mount the cgroup file system, for example `mount -t cgroup2 none /sys/fs/cgroup`.',
      },
    );
  }
  const mounts = planMounts(spec, {
    bundle,
    hierarchies,
    cgroup,
    cgroupNamespace: namespaces.cgroup,
  });
  const seccomp = planSeccomp(spec, bundle, input.seccompHost);
  const ownsDev = !mounts.some((mount) => mount.kind === 'bind' && mount.destination === '/dev');
  const { process } = spec;
  const linux = spec.linux ?? {};
  const hooks = planHooks(spec, id, bundle);
  return {
    id,
    cloneFlags: namespaces.cloneFlags,
    joins,
    joinedBy,
    rootless: launcher.uid !== 0,
    idMaps,
    // The kernel lets an unprivileged parent write the id maps of a dumpable child only.
    undumpable: joins.length > 0 && (idMaps === undefined || idMaps.writtenBy === 'privileged'),
    cgroup,
    terminal: process.terminal ?? false,
    bundle,
    hooks,
    seccompAgent: seccomp?.agent,
    netDevices: planNetDevices(spec),
    rdt: planRdt(linux.intelRdt, id, input.resctrl ?? hostResctrl),
    init: {
      id,
      args: process.args,
      env: planEnvironment(process.env ?? []),
      cwd: process.cwd,
      keyring: input.newKeyring === false ? undefined : `_ses.${id}`,
      joins:
        joinedBy === 'entry'
          ? []
          : joins
              .filter(({ type }) => type !== 'pid')
              .map(({ flag, path }) => ({ flags: flag, name: path })),
      becomeRoot: namespaces.user !== undefined,
      canSetGroups: idMaps?.writtenBy !== 'own',
      timeOffsets,
      unshareIpc: namespaces.ipc,
      unshareCgroup: namespaces.cgroup,
      loopbackUp: namespaces.network,
      netDevices: [],
      hostname: spec.hostname,
      domainname: spec.domainname,
      rootfs: planRootfs(spec, bundle, input.noPivot ?? false),
      mounts: labelMounts(mounts, linux.mountLabel),
      devices: ownsDev ? planDevices(linux.devices ?? []) : [],
      devLinks: ownsDev ? devLinks : [],
      maskedPaths: linux.maskedPaths ?? [],
      readonlyPaths: linux.readonlyPaths ?? [],
      console:
        process.terminal === true
          ? { height: process.consoleSize?.height ?? 0, width: process.consoleSize?.width ?? 0 }
          : undefined,
      activation: input.activation,
      sysctls: planSysctls(spec),
      labels,
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
      hooks: childHooks(hooks),
    },
  };
}

/** The id becomes the name of a cgroup and of a keyring; the same names as runc's are allowed. */
function requireId(id: string): void {
  if (/^[\w+.-]{1,1024}$/.test(id) && id !== '.' && id !== '..') return;
  throw new InvalidConfigError('id', `id: ${JSON.stringify(id.slice(0, 100))} cannot be a name`, {
    hint: 'Use letters, digits and _ + - . only, at most 1024 of them.',
  });
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
