import { posix, resolve } from 'node:path';
import type { PlannedBind, PlannedFilesystem, PlannedMount } from '../config/init-config.ts';
import type { OciMount, OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { type CgroupMountContext, planCgroupMount } from './cgroup-mounts.ts';
import { planIdMapping } from './id-mapping.ts';
import { MOUNT_ATTR_RDONLY, type MountOptions, parseMountOptions } from './mount-options.ts';
import { planOverlayParameters } from './overlay-layers.ts';
import { procDestination } from './proc-destination.ts';

export type MountContext = CgroupMountContext & {
  /** Absolute path of the bundle: relative bind sources start there. */
  bundle: string;
};

/** One entry of `mounts` on its way into the plan. */
type Entry = {
  mount: OciMount;
  index: number;
  /** `mounts[index]` */
  field: string;
  /** Normal and absolute. */
  destination: string;
  options: MountOptions;
};

/** @throws InvalidConfigError for an entry that cannot be a mount */
export function planMounts(spec: OciSpec, context: MountContext): PlannedMount[] {
  return (spec.mounts ?? []).flatMap((mount, index) => {
    const destination = posix.normalize(posix.join('/', mount.destination)).replace(/(.)\/$/, '$1');
    const options = parseMountOptions(mount.options ?? []);
    const entry = { mount, index, field: `mounts[${index}]`, destination, options };
    requireDestination(entry);
    requireFittingOptions(entry);
    return planMount(entry, spec, context);
  });
}

function planMount(entry: Entry, spec: OciSpec, context: MountContext): PlannedMount[] {
  const { mount, index, field, destination, options } = entry;
  if (options.remount) {
    const { attributes, recursiveAttributes, propagation } = options;
    return [{ kind: 'remount', index, destination, attributes, recursiveAttributes, propagation }];
  }
  if (isBind(entry)) return [planBind(entry, spec, context.bundle)];
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
    return planCgroupMount(mount.type, index, destination, options, context);
  }
  if (mount.type === undefined || mount.type === '' || mount.type === 'none') {
    throw new InvalidConfigError(
      `${field}.type`,
      `${field}.type: ${mount.type === 'none' ? 'none is no file system' : 'is missing'}`,
      { hint: 'Name the file system type, or add the option "bind" for a part of the host.' },
    );
  }
  const filesystem = planFilesystem(mount.type, entry);
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

const isBind = ({ mount, options }: Entry): boolean =>
  options.bind !== 'none' || mount.type === 'bind';

/** An empty file system: later mounts need places in it, and /dev needs its devices, before it is sealed. */
function isFilledLater(fstype: string, destination: string): boolean {
  return fstype === 'tmpfs' || destination === '/dev';
}

function requireDestination(entry: Entry): void {
  const { mount, field, destination } = entry;
  const refuse = (reason: string, hint: string): never => {
    throw new InvalidConfigError(`${field}.destination`, `${field}.destination: ${reason}`, {
      hint,
    });
  };
  if (destination === '/') refuse('must not be the root itself', 'Change root.path instead.');
  const place = procDestination(destination);
  if (place === 'inside') {
    refuse(
      `${destination} lies inside /proc, where only some files may be covered`,
      'To hide it use linux.maskedPaths, to protect it linux.readonlyPaths.',
    );
  }
  if (place === 'proc' && !isBind(entry) && !entry.options.remount && mount.type !== 'proc') {
    refuse('only a procfs may be mounted on /proc', 'Use {"type": "proc", "source": "proc"}.');
  }
}

/** Options that mean nothing where they stand would have to be ignored. */
function requireFittingOptions(entry: Entry): void {
  const { mount, field, options } = entry;
  const refuse = (option: string, reason: string, hint: string): never => {
    throw new InvalidConfigError(
      `${field}.options`,
      `${field}.options: ${JSON.stringify(option)} ${reason}`,
      { hint },
    );
  };
  const [unknown] = [...options.parameters.map(([key]) => key), ...options.superblockFlags];
  if (unknown !== undefined && (isBind(entry) || options.remount)) {
    refuse(
      unknown,
      `means nothing for a ${options.remount ? 'remount' : 'bind mount'}`,
      'Options of a file system are set where it is mounted first; remove it here.',
    );
  }
  if (options.copyUp && (mount.type !== 'tmpfs' || isBind(entry))) {
    refuse('tmpcopyup', 'is for a tmpfs only', 'Remove it, or set the type to tmpfs.');
  }
  const mapsIds =
    options.idMap !== 'none' || (mount.uidMappings ?? mount.gidMappings ?? []).length > 0;
  if (mapsIds && (!isBind(entry) || options.remount)) {
    refuse(
      options.idMap === 'none' ? 'idmap' : options.idMap,
      'and id mappings are for bind mounts only',
      'Add the option "bind", or remove the mappings.',
    );
  }
}

function planBind(entry: Entry, spec: OciSpec, bundle: string): PlannedBind {
  const { mount, index, field, destination, options } = entry;
  if (mount.source === undefined || mount.source === '') {
    throw new InvalidConfigError(`${field}.source`, `${field}.source: a bind mount needs one`, {
      hint: 'Name the file or directory to bind.',
    });
  }
  const idMapping = planIdMapping(mount, field, options, spec);
  return {
    kind: 'bind',
    index,
    destination,
    source: resolve(bundle, mount.source),
    recursive: options.bind === 'rbind',
    attributes: options.attributes,
    recursiveAttributes: options.recursiveAttributes,
    propagation: options.propagation,
    ...(procDestination(destination) === 'proc' ? { onlyProc: true } : {}),
    ...(idMapping === undefined ? {} : { idMapping }),
  };
}

function planFilesystem(fstype: string, entry: Entry): PlannedFilesystem {
  const { mount, index, destination, options } = entry;
  const readonly = (options.attributes.set & MOUNT_ATTR_RDONLY) !== 0;
  const hasMode = options.parameters.some(([key]) => key === 'mode');
  return {
    kind: 'filesystem',
    index,
    destination,
    fstype,
    source: mount.source ?? fstype,
    // Nothing is mounted below a new file system, so the recursive options are plain ones.
    attributes: options.attributes.set | options.recursiveAttributes.set,
    superblockFlags: readonly ? ['ro', ...options.superblockFlags] : options.superblockFlags,
    ...(fstype === 'overlay'
      ? planOverlayParameters(options.parameters)
      : { parameters: options.parameters }),
    propagation: options.propagation,
    ...(fstype === 'proc' || fstype === 'sysfs' ? { noLinks: true } : {}),
    ...(fstype === 'tmpfs' && !hasMode ? { inheritMode: true } : {}),
    ...(options.copyUp ? { copyUp: true } : {}),
  };
}
