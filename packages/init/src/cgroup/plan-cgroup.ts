import { dirname, join, relative } from 'node:path/posix';
import type { OciDeviceRule, OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { type DeviceRule, planDeviceRules } from './device-rules.ts';
import type { Hierarchy } from './hierarchies.ts';

/** A cgroup directory that the container's process is put in, one for each hierarchy. */
export type CgroupDirectory = {
  version: 1 | 2;
  controllers: string;
  /** Absolute path in this mount namespace. */
  path: string;
  mountpoint: string;
};

export type CgroupPlan = {
  directories: CgroupDirectory[];
  /** In order; `undefined` where the configuration says nothing of devices. */
  deviceRules: DeviceRule[] | undefined;
};

/**
 * Where the container's cgroup is, or `undefined` when the configuration needs none: it names no
 * path, no resources and no cgroup namespace.
 *
 * An absolute `cgroupsPath` starts at the root of each hierarchy. A relative one, and the default,
 * the container's id, start at this process's own cgroup on v1. On v2 they start at its parent,
 * because a v2 cgroup that holds processes cannot hand controllers to cgroups below it.
 */
export function planCgroup(
  spec: OciSpec,
  id: string,
  hierarchies: readonly Hierarchy[],
): CgroupPlan | undefined {
  const { cgroupsPath, resources, namespaces } = spec.linux ?? {};
  const rules: readonly OciDeviceRule[] = resources?.devices ?? [];
  const wantsNamespace = (namespaces ?? []).some((namespace) => namespace.type === 'cgroup');
  if (cgroupsPath === undefined && rules.length === 0 && !wantsNamespace) return undefined;
  if (cgroupsPath?.split('/').includes('..') === true) {
    throw new InvalidConfigError('linux.cgroupsPath', 'linux.cgroupsPath: must not contain ".."', {
      hint: 'Name the cgroup by its path from the root of the hierarchy.',
    });
  }
  const name = cgroupsPath === undefined || cgroupsPath === '' ? id : cgroupsPath;
  const directories = hierarchies.map(({ version, controllers, mountpoint, root, ownPath }) => {
    const base = version === 2 ? dirname(ownPath) : ownPath;
    const inHierarchy = name.startsWith('/') ? name : join(base, name);
    // A mount that shows a part of the hierarchy: the path counts from that part, or is taken as
    // one inside it where it lies elsewhere. It must never lead out of the mount.
    const fromRoot = relative(root, inHierarchy);
    const belowMount = fromRoot.startsWith('..') ? inHierarchy : fromRoot;
    return { version, controllers, mountpoint, path: join(mountpoint, belowMount) };
  });
  return { directories, deviceRules: rules.length === 0 ? undefined : planDeviceRules(rules) };
}
