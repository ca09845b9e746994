import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';
import type { OciDeviceRule, OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { type DeviceRule, planDeviceRules } from './device-rules.ts';
import type { CgroupWrite } from './cgroup-write.ts';
import { type Hierarchy, isUnified } from './hierarchies.ts';
import { hasLimits, planResources } from './plan-resources.ts';
import { planScope, type ScopePlan } from './systemd/plan-scope.ts';

/** A cgroup directory that the container's process is put in, one for each hierarchy. */
export type CgroupDirectory = {
  version: 1 | 2;
  controllers: string;
  /** Absolute path in this mount namespace. */
  path: string;
  mountpoint: string;
  /** Controllers that the cgroups above must hand down to a v2 cgroup. */
  enable: string[];
  /** Limits, in order. */
  writes: CgroupWrite[];
};

export type CgroupPlan = {
  directories: CgroupDirectory[];
  /** In order; `undefined` where the configuration says nothing of devices. */
  deviceRules: DeviceRule[] | undefined;
  /**
   * Whether a rootless launch may go on without a cgroup that its user is not allowed to make: the
   * configuration names neither a path nor a limit. Device rules do not count. In a user
   * namespace no device node can be made, and one that is there is opened with the user's own rights.
   */
  optional: boolean;
  /** The unit that systemd makes the cgroup for; `undefined` where the cgroup is made here. */
  scope: ScopePlan | undefined;
};

/** Who makes the cgroup: this package, in the cgroup file system, or systemd. */
export type CgroupManager = 'cgroupfs' | 'systemd';

export type PlanCgroupOptions = {
  /** Default `cgroupfs`. */
  manager?: CgroupManager | undefined;
  /** Whether systemd is asked as the user's own service manager; by default, unless this process is root. */
  user?: boolean | undefined;
  controllersOf?: (mountpoint: string) => readonly string[];
};

/**
 * Where the container's cgroup is, or `undefined` when the configuration needs none: it names no
 * path, no resources and no cgroup namespace.
 *
 * An absolute `cgroupsPath` starts at the root of each hierarchy. A relative one, and the default,
 * the container's id, start at this process's own cgroup on v1. On v2 they start at its parent,
 * because a v2 cgroup that holds processes cannot hand controllers to cgroups below it.
 *
 * With systemd the path has the form `slice:prefix:name`, see planScope, and starts at the cgroup that systemd manages.
 */
export function planCgroup(
  spec: OciSpec,
  id: string,
  hierarchies: readonly Hierarchy[],
  {
    manager = 'cgroupfs',
    user = process.geteuid!() !== 0,
    controllersOf = readControllers,
  }: PlanCgroupOptions = {},
): CgroupPlan | undefined {
  const { cgroupsPath, namespaces } = spec.linux ?? {};
  const resources = spec.linux?.resources ?? {};
  const rules: readonly OciDeviceRule[] = resources.devices ?? [];
  const wantsLimits = hasLimits(resources);
  const wantsNamespace = (namespaces ?? []).some((namespace) => namespace.type === 'cgroup');
  if (cgroupsPath === undefined && rules.length === 0 && !wantsNamespace && !wantsLimits) {
    return undefined;
  }
  if (cgroupsPath?.split('/').includes('..') === true) {
    throw new InvalidConfigError('linux.cgroupsPath', 'linux.cgroupsPath: must not contain ".."', {
      hint: 'Name the cgroup by its path from the root of the hierarchy.',
    });
  }
  const deviceRules = rules.length === 0 ? undefined : planDeviceRules(rules);
  const unified = isUnified(hierarchies) === true;
  const scope =
    manager === 'systemd'
      ? planScope(cgroupsPath, id, { user, unified }, resources, deviceRules)
      : undefined;
  const name = cgroupsPath === undefined || cgroupsPath === '' ? id : cgroupsPath;
  const plans = wantsLimits
    ? planResources(resources, hierarchies, () => {
        const v2 = hierarchies.find(({ version }) => version === 2);
        return v2 === undefined ? [] : controllersOf(v2.mountpoint);
      })
    : [];
  const directories = hierarchies.map((hierarchy, index) => {
    const { version, controllers, mountpoint, root, ownPath } = hierarchy;
    const base = version === 2 ? dirname(ownPath) : ownPath;
    const inHierarchy =
      scope === undefined
        ? name.startsWith('/')
          ? name
          : join(base, name)
        : join(user ? userManagerCgroup(ownPath) : '/', scope.path);
    // A mount that shows a part of the hierarchy: the path counts from that part, or is taken as
    // one inside it where it lies elsewhere. It must never lead out of the mount.
    const fromRoot = relative(root, inHierarchy);
    const belowMount = fromRoot.startsWith('..') ? inHierarchy : fromRoot;
    const { enable, writes } = plans[index] ?? { enable: [], writes: [] };
    return { version, controllers, mountpoint, path: join(mountpoint, belowMount), enable, writes };
  });
  return {
    directories,
    deviceRules,
    optional: (cgroupsPath === undefined || cgroupsPath === '') && !wantsLimits,
    scope,
  };
}

/** What the service manager of a user manages: where this process stands below it, else nothing is above. */
const userManagerCgroup = (ownPath: string): string =>
  /^.*?\/user@\d+\.service(?=\/|$)/.exec(ownPath)?.[0] ?? '/';

/** What the cgroup at a v2 mount point may hand down. */
export function readControllers(mountpoint: string): string[] {
  const text = readFileSync(join(mountpoint, 'cgroup.controllers'), 'utf8').trim();
  return text === '' ? [] : text.split(' ');
}
