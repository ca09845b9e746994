import type { PlannedMount } from '../config/init-config.ts';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { InvalidConfigError } from '../errors.ts';
import type { PlannedIdMaps } from './user-namespace.ts';

/** File systems of the kernel that a user namespace may mount and that take `uid=` and `gid=`. */
const owned = ['tmpfs', 'devpts', 'proc'];

/**
 * Refuses owners of file systems that a new user namespace does not have: the kernel says no more
 * than EINVAL to them.
 *
 * @throws InvalidConfigError
 */
export function requireMappedOwners(
  mounts: readonly PlannedMount[],
  idMaps: PlannedIdMaps | undefined,
): void {
  if (idMaps === undefined) return;
  const maps = { uid: idMaps.uidMappings, gid: idMaps.gidMappings };
  for (const mount of mounts) {
    if (mount.kind !== 'filesystem' || !owned.includes(mount.fstype)) continue;
    for (const [key, value] of mount.parameters) {
      if (key !== 'uid' && key !== 'gid') continue;
      if (value === null || !/^\d+$/.test(value) || isMapped(Number(value), maps[key])) continue;
      const field = `mounts[${mount.index}].options`;
      throw new InvalidConfigError(
        field,
        `${field}: "${key}=${value}" names an id that linux.${key}Mappings does not map`,
        { hint: `Map it, or remove the option, as rootlessSpec() does.` },
      );
    }
  }
}

const isMapped = (id: number, maps: readonly OciIdMapping[]): boolean =>
  maps.some(({ containerID, size }) => id >= containerID && id < containerID + size);
