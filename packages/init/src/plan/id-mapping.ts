import type { MountIdMap, MountIdMapping } from '@pilotlight/sync';
import type { OciMount, OciSpec } from '../config/oci-spec.ts';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { InvalidConfigError } from '../errors.ts';
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

const toMap = ({ containerID, hostID, size }: OciIdMapping): MountIdMap => ({
  container_id: containerID,
  host_id: hostID,
  size,
});
