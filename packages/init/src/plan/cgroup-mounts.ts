import { basename, join } from 'node:path';
import { relative } from 'node:path/posix';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import type { CgroupPlan } from '../cgroup/plan-cgroup.ts';
import type { FilesystemParameter, PlannedMount } from '../config/init-config.ts';
import { InvalidConfigError } from '../errors.ts';
import { MOUNT_ATTR_RDONLY, type MountOptions } from './mount-options.ts';

export type CgroupMountContext = {
  hierarchies: readonly Hierarchy[];
  cgroup: CgroupPlan | undefined;
  cgroupNamespace: boolean;
};

const RDONLY_OFF = ~MOUNT_ATTR_RDONLY;

/**
 * What `type: cgroup` means depends on the host. On v2 it is the one hierarchy. On v1 it is a
 * tmpfs with a directory for each hierarchy, links for those that share one, sealed at the end;
 * of a hybrid host these are its v1 hierarchies, and `type: cgroup2` is the other one. Without a
 * cgroup namespace each is a bind of the container's own cgroup, never the host's whole tree.
 */
export function planCgroupMount(
  type: 'cgroup' | 'cgroup2',
  index: number,
  destination: string,
  options: MountOptions,
  context: CgroupMountContext,
): PlannedMount[] {
  const v1 = context.hierarchies.filter((hierarchy) => hierarchy.version === 1);
  if (v1.length === 0 || type === 'cgroup2') {
    return [planOneHierarchy('', index, destination, options, context)];
  }
  const readonly = (options.attributes.set & MOUNT_ATTR_RDONLY) !== 0;
  const directory: PlannedMount = {
    kind: 'filesystem',
    index,
    destination,
    fstype: 'tmpfs',
    source: 'tmpfs',
    attributes: (options.attributes.set | options.recursiveAttributes.set) & RDONLY_OFF,
    superblockFlags: [],
    parameters: [['mode', '755']],
    propagation: [],
  };
  const hierarchies = v1.map(({ controllers, mountpoint }) =>
    planOneHierarchy(controllers, index, join(destination, basename(mountpoint)), options, context),
  );
  const links = v1.flatMap(({ controllers, mountpoint }) =>
    linksTo(basename(mountpoint), controllers).map((name): PlannedMount => ({
      kind: 'symlink',
      index,
      destination: join(destination, name),
      target: basename(mountpoint),
    })),
  );
  return [
    directory,
    ...hierarchies,
    ...links,
    ...(readonly ? [{ kind: 'seal', index, destination } satisfies PlannedMount] : []),
  ];
}

/** The controllers that share a directory of another name. */
function linksTo(name: string, controllers: string): string[] {
  if (!controllers.includes(',')) return [];
  return controllers
    .split(',')
    .filter((controller) => controller !== name && !controller.startsWith('name='));
}

function planOneHierarchy(
  controllers: string,
  index: number,
  destination: string,
  options: MountOptions,
  context: CgroupMountContext,
): PlannedMount {
  if (context.cgroupNamespace) {
    return {
      kind: 'filesystem',
      index,
      destination,
      fstype: controllers === '' ? 'cgroup2' : 'cgroup',
      source: 'cgroup',
      attributes: options.attributes.set | options.recursiveAttributes.set,
      // The super block is the host's: only the mount may become read-only.
      superblockFlags: [],
      parameters:
        controllers === '' ? [] : controllers.split(',').map((name) => hierarchyParameter(name)),
      propagation: options.propagation,
    };
  }
  const isOfHierarchy = (each: { controllers: string }): boolean =>
    each.controllers === controllers;
  const hierarchy = context.hierarchies.find((each) => isOfHierarchy(each));
  if (hierarchy === undefined) refuseUnmounted(index);
  const own = context.cgroup?.directories.find((each) => isOfHierarchy(each));
  const launchers = ownPathOf(hierarchy);
  return {
    kind: 'bind',
    index,
    destination,
    ...(own === undefined
      ? { source: launchers }
      : { source: own.path, sourceWithoutCgroup: launchers }),
    recursive: false,
    attributes: options.attributes,
    recursiveAttributes: options.recursiveAttributes,
    propagation: options.propagation,
  };
}

function refuseUnmounted(index: number): never {
  const field = `mounts[${index}].type`;
  throw new InvalidConfigError(
    field,
    `${field}: the hierarchy is not mounted on the host, so the container's part of it cannot be bound`,
    {
      hint: 'Add {"type": "cgroup"} to linux.namespaces, or mount the hierarchy below /sys/fs/cgroup on the host.',
    },
  );
}

/** Where a container stands that gets no cgroup of its own: with the process that launches it. */
function ownPathOf({ mountpoint, root, ownPath }: Hierarchy): string {
  const belowMount = relative(root, ownPath);
  return belowMount.startsWith('..') ? mountpoint : join(mountpoint, belowMount);
}

const hierarchyParameter = (name: string): FilesystemParameter =>
  name.startsWith('name=') ? ['name', name.slice('name='.length)] : [name, null];

/** The mounts of a rootless launch that goes on without a cgroup of its own: it stands where the launcher does. */
export function withoutOwnCgroup(mounts: readonly PlannedMount[]): PlannedMount[] {
  return mounts.map((mount) =>
    mount.kind === 'bind' && mount.sourceWithoutCgroup !== undefined
      ? { ...mount, source: mount.sourceWithoutCgroup }
      : mount,
  );
}
