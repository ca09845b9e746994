import { basename, join, posix, resolve } from 'node:path';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import type { CgroupPlan } from '../cgroup/plan-cgroup.ts';
import type { PlannedBind, PlannedFilesystem, PlannedMount } from '../config/init-config.ts';
import type { OciMount, OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { MOUNT_ATTR_RDONLY, type MountOptions, parseMountOptions } from './mount-options.ts';

export type MountContext = {
  /** Absolute path of the bundle: relative bind sources start there. */
  bundle: string;
  hierarchies: readonly Hierarchy[];
  cgroup: CgroupPlan | undefined;
  cgroupNamespace: boolean;
};

/** @throws InvalidConfigError for an entry that cannot be a mount */
export function planMounts(spec: OciSpec, context: MountContext): PlannedMount[] {
  return (spec.mounts ?? []).flatMap((mount, index) => planMount(mount, index, context));
}

function planMount(mount: OciMount, index: number, context: MountContext): PlannedMount[] {
  const destination = posix.normalize(posix.join('/', mount.destination)).replace(/(.)\/$/, '$1');
  const options = parseMountOptions(mount.options ?? []);
  const field = `mounts[${index}]`;
  if (destination === '/') {
    throw new InvalidConfigError(
      `${field}.destination`,
      `${field}.destination: must not be the root itself`,
      {
        hint: 'Change root.path instead.',
      },
    );
  }
  if (options.bind !== 'none' || mount.type === 'bind') {
    return [planBind(mount, index, destination, options, context.bundle)];
  }
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
    return planCgroupMount(index, destination, options, context);
  }
  if (mount.type === undefined || mount.type === '') {
    throw new InvalidConfigError(`${field}.type`, `${field}.type: is missing`, {
      hint: 'Name the file system type, or add the option "bind" for a part of the host.',
    });
  }
  const filesystem = planFilesystem(
    mount.type,
    mount.source ?? mount.type,
    index,
    destination,
    options,
  );
  const isReadonly = (filesystem.attributes & MOUNT_ATTR_RDONLY) !== 0;
  if (!isReadonly || !isFilledLater(mount.type, destination)) return [filesystem];
  return [
    {
      ...filesystem,
      attributes: filesystem.attributes & ~MOUNT_ATTR_RDONLY,
      superblockFlags: filesystem.superblockFlags.filter((flag) => flag !== 'ro'),
    },
    { kind: 'seal', index, destination },
  ];
}

/** An empty file system: later mounts need places in it, and /dev needs its devices, before it is sealed. */
function isFilledLater(fstype: string, destination: string): boolean {
  return fstype === 'tmpfs' || destination === '/dev';
}

function planBind(
  mount: OciMount,
  index: number,
  destination: string,
  options: MountOptions,
  bundle: string,
): PlannedBind {
  const field = `mounts[${index}]`;
  if (mount.source === undefined || mount.source === '') {
    throw new InvalidConfigError(`${field}.source`, `${field}.source: a bind mount needs one`, {
      hint: 'Name the file or directory to bind.',
    });
  }
  const [unknown] = [...options.parameters.map(([key]) => key), ...options.superblockFlags];
  if (unknown !== undefined) {
    throw new InvalidConfigError(
      `${field}.options`,
      `${field}.options: ${JSON.stringify(unknown)} means nothing for a bind mount`,
      { hint: 'Options of a file system are set where it is mounted first; remove it here.' },
    );
  }
  return {
    kind: 'bind',
    index,
    destination,
    source: resolve(bundle, mount.source),
    recursive: options.bind === 'rbind',
    attributes: options.attributes,
    recursiveAttributes: options.recursiveAttributes,
    propagation: options.propagation,
  };
}

function planFilesystem(
  fstype: string,
  source: string,
  index: number,
  destination: string,
  options: MountOptions,
): PlannedFilesystem {
  const readonly = (options.attributes.set & MOUNT_ATTR_RDONLY) !== 0;
  return {
    kind: 'filesystem',
    index,
    destination,
    fstype,
    source,
    // Nothing is mounted below a new file system, so the recursive options are plain ones.
    attributes: options.attributes.set | options.recursiveAttributes.set,
    superblockFlags: readonly ? ['ro', ...options.superblockFlags] : options.superblockFlags,
    parameters: options.parameters,
    propagation: options.propagation,
  };
}

/**
 * What `type: cgroup` means depends on the host. On v2 it is the one hierarchy. On v1 it is a
 * tmpfs with a directory for each hierarchy, links for those that share one, sealed at the end.
 * Without a cgroup namespace each is a bind of the container's own cgroup.
 */
function planCgroupMount(
  index: number,
  destination: string,
  options: MountOptions,
  context: MountContext,
): PlannedMount[] {
  const v1 = context.hierarchies.filter((hierarchy) => hierarchy.version === 1);
  const readonly = (options.attributes.set & MOUNT_ATTR_RDONLY) !== 0;
  if (v1.length === 0) return [planOneHierarchy('', index, destination, options, context)];

  const names = v1.map((hierarchy) => basename(hierarchy.mountpoint));
  const planned: PlannedMount[] = [
    {
      ...planFilesystem('tmpfs', 'tmpfs', index, destination, {
        ...options,
        attributes: { set: options.attributes.set & ~MOUNT_ATTR_RDONLY, clear: 0 },
        parameters: [['mode', '755']],
      }),
      propagation: [],
    },
  ];
  for (const [position, { controllers }] of v1.entries()) {
    const name = names[position] ?? controllers;
    planned.push(planOneHierarchy(controllers, index, join(destination, name), options, context));
  }
  for (const [position, { controllers }] of v1.entries()) {
    const name = names[position] ?? controllers;
    for (const controller of controllers.split(',')) {
      if (controller === name || controller.startsWith('name=') || !controllers.includes(','))
        continue;
      planned.push({
        kind: 'symlink',
        index,
        destination: join(destination, controller),
        target: name,
      });
    }
  }
  if (readonly) planned.push({ kind: 'seal', index, destination });
  return planned;
}

function planOneHierarchy(
  controllers: string,
  index: number,
  destination: string,
  options: MountOptions,
  context: MountContext,
): PlannedMount {
  const version = controllers === '' ? 2 : 1;
  if (context.cgroupNamespace || context.cgroup === undefined) {
    return {
      ...planFilesystem(version === 2 ? 'cgroup2' : 'cgroup', 'cgroup', index, destination, {
        ...options,
        superblockFlags: [],
        parameters:
          version === 2 ? [] : controllers.split(',').map((name) => hierarchyParameter(name)),
      }),
      // The super block is the host's: only the mount may become read-only.
      superblockFlags: [],
    };
  }
  const own = context.cgroup.directories.find((directory) => directory.controllers === controllers);
  return {
    kind: 'bind',
    index,
    destination,
    source: own?.path ?? '/sys/fs/cgroup',
    recursive: false,
    attributes: options.attributes,
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: options.propagation,
  };
}

const hierarchyParameter = (name: string): [string, string | null] =>
  name.startsWith('name=') ? ['name', name.slice('name='.length)] : [name, null];
