import { release } from 'node:os';
import { type Hierarchy, readHierarchies } from '../cgroup/hierarchies.ts';
import { type CgroupManager, type CgroupPlan, planCgroup } from '../cgroup/plan-cgroup.ts';
import type { InitConfig } from '../config/init-config.ts';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { refuseUnsupported } from '../config/refuse-unsupported.ts';
import { InvalidConfigError } from '../errors.ts';
import { labelMounts } from '../lsm/plan-labels.ts';
import { planRdt, type RdtPlan } from '../rdt/plan-rdt.ts';
import { hostResctrl, type Resctrl } from '../rdt/resctrl.ts';
import { devLinks, planDevices } from './devices.ts';
import { childHooks, planHooks, type PlannedHooks } from './hooks.ts';
import { requireNoIdMapping } from './id-mapping.ts';
import { requireMappedOwners } from './mount-owners.ts';
import { planMounts } from './mounts.ts';
import { type NetDevicesPlan, planNetDevices } from './net-devices.ts';
import { type PlannedJoin, planNamespaces } from './namespaces.ts';
import { type ChildPlan, planProcess, type ProcessInput } from './plan-process.ts';
import { planRootfs } from './rootfs.ts';
import { planTimeOffsets, requireSettableClocks } from './time-namespace.ts';
import {
  canSetGroups,
  type Launcher,
  planIdMaps,
  type PlannedIdMaps,
  thisProcess,
} from './user-namespace.ts';
import { planSysctls } from './sysctl.ts';

/** One launch, decided: pure data, nothing has been done yet. */
export type LaunchPlan = ChildPlan & {
  joins: PlannedJoin[];
  /** The launcher is not root. */
  rootless: boolean;
  /** Of a new user namespace. */
  idMaps: PlannedIdMaps | undefined;
  cgroup: CgroupPlan | undefined;
  /** Absolute path of the bundle: where the runtime's hooks run. */
  bundle: string;
  hooks: PlannedHooks | undefined;
  netDevices: NetDevicesPlan | undefined;
  rdt: RdtPlan | undefined;
  init: InitConfig;
};

export type PlanInput = ProcessInput & {
  spec: OciSpec;
  hierarchies?: readonly Hierarchy[];
  cgroupManager?: CgroupManager;
  /** Default: this process. */
  launcher?: Launcher;
  /** Default: this kernel's. */
  kernelRelease?: string;
  /** Move the root over the old one instead of pivot_root(2); see LaunchOptions. */
  noPivot?: boolean;
  /** Default: this host's. */
  resctrl?: Resctrl;
};

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
  const { process, seccompAgent } = planProcess(spec, input);
  const namespaces = planNamespaces(spec);
  const launcher = input.launcher ?? thisProcess();
  const idMaps = planIdMaps(spec, namespaces, launcher);
  const timeOffsets = planTimeOffsets(spec, namespaces, input.kernelRelease ?? release());
  const { joins } = namespaces;
  const unprivileged = launcher.uid !== 0;
  if (unprivileged) requireSettableClocks(namespaces, timeOffsets);
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
  requireMappedOwners(mounts, idMaps);
  if (unprivileged) requireNoIdMapping(mounts);
  const ownsDev = !mounts.some((mount) => mount.kind === 'bind' && mount.destination === '/dev');
  const linux = spec.linux ?? {};
  const hooks = planHooks(spec, id, bundle);
  const { oomScoreAdj } = process;
  const entrySetsOom = unprivileged && joinedBy === 'entry' && oomScoreAdj !== undefined;
  return {
    id,
    cloneFlags: namespaces.cloneFlags,
    joins,
    joinedBy,
    rootless: unprivileged,
    idMaps,
    // The kernel lets an unprivileged parent write the id maps of a dumpable child only.
    undumpable: joins.length > 0 && (idMaps === undefined || idMaps.writtenBy === 'privileged'),
    ...(entrySetsOom ? { entryOomScoreAdj: oomScoreAdj } : {}),
    cgroup,
    terminal: spec.process.terminal ?? false,
    bundle,
    hooks,
    seccompAgent,
    netDevices: planNetDevices(spec),
    rdt: planRdt(linux.intelRdt, id, input.resctrl ?? hostResctrl),
    init: {
      ...process,
      entering: false,
      cpus: undefined,
      joins:
        joinedBy === 'entry'
          ? []
          : joins
              .filter(({ type }) => type !== 'pid')
              .map(({ flag, path }) => ({ flags: flag, name: path })),
      becomeRoot: namespaces.user !== undefined,
      canSetGroups: canSetGroups(spec, idMaps, launcher),
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
      sysctls: planSysctls(spec),
      ...(entrySetsOom ? { oomScoreAdj: undefined } : {}),
      hooks: childHooks(hooks),
    },
  };
}

/** The id becomes the name of a cgroup and of a keyring; the same names as runc's are allowed. */
export function requireId(id: string): void {
  if (/^[\w+.-]{1,1024}$/.test(id) && id !== '.' && id !== '..') return;
  throw new InvalidConfigError('id', `id: ${JSON.stringify(id.slice(0, 100))} cannot be a name`, {
    hint: 'Use letters, digits and _ + - . only, at most 1024 of them.',
  });
}
