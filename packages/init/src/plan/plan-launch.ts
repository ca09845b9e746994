import { resolve } from 'node:path';
import { type Hierarchy, readHierarchies } from '../cgroup/hierarchies.ts';
import { type CgroupPlan, planCgroup } from '../cgroup/plan-cgroup.ts';
import type { InitConfig } from '../config/init-config.ts';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { refuseUnsupported } from '../config/refuse-unsupported.ts';
import { InvalidConfigError } from '../errors.ts';
import { planCapabilities } from './capabilities.ts';
import { defaultDevices, devLinks } from './devices.ts';
import { planEnvironment } from './environment.ts';
import { MS_PRIVATE, MS_SLAVE } from './mount-options.ts';
import { planMounts } from './mounts.ts';
import { planNamespaces } from './namespaces.ts';
import { planRlimits, type PlannedRlimit, RLIMIT_NOFILE } from './rlimits.ts';

/** The limits that this process would have without Node's and our own changes to them. */
export type InheritedLimits = {
  /** Soft RLIMIT_NOFILE before Node raised it to the hard one. */
  nofileSoft: bigint;
  nofileHard: bigint;
};

/** One launch, decided: pure data, nothing has been done yet. */
export type LaunchPlan = {
  id: string;
  /** For clone3(2). */
  cloneFlags: number;
  cgroup: CgroupPlan | undefined;
  terminal: boolean;
  init: InitConfig;
};

export type PlanInput = {
  id: string;
  spec: OciSpec;
  /** Absolute path of the bundle. */
  bundle: string;
  hierarchies?: readonly Hierarchy[];
  inheritedLimits?: InheritedLimits;
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
  const namespaces = planNamespaces(spec);
  const cgroup = planCgroup(spec, id, hierarchies);
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
  const ownsDev = !mounts.some((mount) => mount.kind === 'bind' && mount.destination === '/dev');
  const rootPath = resolve(bundle, spec.root.path);
  const readonly = spec.root.readonly ?? false;
  const { process } = spec;
  const linux = spec.linux ?? {};
  const propagation = linux.rootfsPropagation ?? 'rslave';
  return {
    id,
    cloneFlags: namespaces.cloneFlags,
    cgroup,
    terminal: process.terminal ?? false,
    init: {
      id,
      args: process.args,
      env: planEnvironment(process.env ?? []),
      cwd: process.cwd,
      keyring: `_ses.${id}`,
      unshareCgroup: namespaces.cgroup,
      loopbackUp: namespaces.network,
      hostname: spec.hostname,
      domainname: spec.domainname,
      rootfs: {
        path: rootPath,
        readonly,
        // The host's own root: whatever is mounted on it must be as read-only as itself.
        readonlyBelow: readonly && rootPath === '/',
        propagation: propagation.endsWith('private') ? MS_PRIVATE : MS_SLAVE,
      },
      mounts,
      devices: ownsDev ? defaultDevices : [],
      devLinks: ownsDev ? devLinks : [],
      maskedPaths: linux.maskedPaths ?? [],
      readonlyPaths: linux.readonlyPaths ?? [],
      console:
        process.terminal === true
          ? { height: process.consoleSize?.height ?? 0, width: process.consoleSize?.width ?? 0 }
          : undefined,
      rlimits: withInheritedLimits(planRlimits(process.rlimits ?? []), input.inheritedLimits),
      oomScoreAdj: process.oomScoreAdj,
      umask: process.user?.umask ?? defaultUmask,
      noNewPrivileges: process.noNewPrivileges ?? false,
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

/** The id becomes the name of a cgroup and of a keyring; the same names as runc's are allowed. */
function requireId(id: string): void {
  if (/^[\w+.-]{1,1024}$/.test(id) && id !== '.' && id !== '..') return;
  throw new InvalidConfigError('id', `id: ${JSON.stringify(id.slice(0, 100))} cannot be a name`, {
    hint: 'Use letters, digits and _ + - . only, at most 1024 of them.',
  });
}

/**
 * Node raises its soft limit of open files to the hard one, which must not reach the program.
 */
function withInheritedLimits(
  planned: PlannedRlimit[],
  inherited: InheritedLimits | undefined,
): PlannedRlimit[] {
  if (inherited === undefined || planned.some(({ resource }) => resource === RLIMIT_NOFILE)) {
    return planned;
  }
  return [
    ...planned,
    {
      type: 'RLIMIT_NOFILE',
      resource: RLIMIT_NOFILE,
      soft: String(inherited.nofileSoft),
      hard: String(inherited.nofileHard),
    },
  ];
}
