import type { MountIdMap, MountIdMapping } from '@pilotlight/sync';
import type { PlannedMount } from '../config/init-config.ts';
import type { OciMount, OciSpec } from '../config/oci-spec.ts';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import type { MountOptions } from './mount-options.ts';

/**
 * The id mapping of a bind mount: its own maps, or those of the container's user namespace where
 * the options ask for one and no maps are given. `undefined` where nothing asks.
 *
 * @throws InvalidConfigError for half a mapping, or one that has no user namespace to come from
 */
export function planIdMapping(
  mount: OciMount,
  field: string,
  options: MountOptions,
  spec: OciSpec,
): MountIdMapping | undefined {
  const uids = mount.uidMappings ?? [];
  const gids = mount.gidMappings ?? [];
  if ((uids.length === 0) !== (gids.length === 0)) {
    const lacking = uids.length === 0 ? 'uidMappings' : 'gidMappings';
    throw new InvalidConfigError(`${field}.${lacking}`, `${field}.${lacking}: is missing`, {
      hint: 'Give uidMappings and gidMappings, or neither.',
    });
  }
  const recursive = options.idMap === 'ridmap';
  if (uids.length > 0) {
    return {
      recursive,
      userns_path: '',
      uid_mappings: uids.map(toMap),
      gid_mappings: gids.map(toMap),
    };
  }
  if (options.idMap === 'none') return undefined;
  return { recursive, ...namespaceOf(spec, `${field}.options`, options.idMap) };
}

function namespaceOf(
  { linux }: OciSpec,
  field: string,
  option: string,
): Omit<MountIdMapping, 'recursive'> {
  const namespace = linux?.namespaces?.find(({ type }) => type === 'user');
  if (namespace === undefined) {
    throw new InvalidConfigError(
      field,
      `${field}: ${option} without maps needs a user namespace of the container`,
      {
        hint: 'Give the mount uidMappings and gidMappings, or add {"type": "user"} to linux.namespaces.',
      },
    );
  }
  if (namespace.path !== undefined && namespace.path !== '') {
    return { userns_path: namespace.path, uid_mappings: [], gid_mappings: [] };
  }
  return {
    userns_path: '',
    uid_mappings: (linux?.uidMappings ?? []).map(toMap),
    gid_mappings: (linux?.gidMappings ?? []).map(toMap),
  };
}

/**
 * For an unprivileged launcher: to map the ids of a mount takes CAP_SYS_ADMIN in the user namespace that
 * owns its file system; mount_setattr(2), ID-mapped mounts.
 *
 * @throws UnsupportedConfigError
 */
export function requireNoIdMapping(mounts: readonly PlannedMount[]): void {
  const mapped = mounts.flatMap((mount) =>
    mount.kind === 'bind' && mount.idMapping !== undefined ? [`mounts[${mount.index}]`] : [],
  );
  const [first, ...others] = mapped;
  if (first === undefined) return;
  throw new UnsupportedConfigError(
    first,
    'an unprivileged user cannot map the ids of a mount',
    others,
    { hint: 'Remove idmap, uidMappings and gidMappings from it, or launch as root.' },
  );
}

const toMap = ({ containerID, hostID, size }: OciIdMapping): MountIdMap => ({
  container_id: containerID,
  host_id: hostID,
  size,
});
