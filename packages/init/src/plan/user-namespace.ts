import { getegid, geteuid } from 'node:process';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { InvalidConfigError } from '../errors.ts';
import type { PlannedNamespaces } from './namespaces.ts';

/** Who launches, as far as it decides how ids are mapped. */
export type Launcher = { uid: number; gid: number };

/** Who launches from here. */
export const thisProcess = (): Launcher => ({
  uid: geteuid?.() ?? 0,
  gid: getegid?.() ?? 0,
});

/** How a new user namespace gets its ids. */
export type PlannedIdMaps = {
  uidMappings: readonly OciIdMapping[];
  gidMappings: readonly OciIdMapping[];
  /**
   * `privileged`: the launcher writes the files. `own`: an unprivileged one does, which may map
   * just its own id and has to forbid setgroups(2) first. `helpers`: newuidmap(1) and newgidmap(1)
   * do it for an unprivileged launcher.
   */
  writtenBy: 'privileged' | 'own' | 'helpers';
};

const maxMappings = 340;

/**
 * The id maps of a new user namespace, or `undefined` where none is made. With one that is joined
 * the mappings describe what is there already.
 *
 * @throws InvalidConfigError
 */
export function planIdMaps(
  spec: OciSpec,
  namespaces: PlannedNamespaces,
  launcher: Launcher,
): PlannedIdMaps | undefined {
  const uidMappings = spec.linux?.uidMappings ?? [];
  const gidMappings = spec.linux?.gidMappings ?? [];
  if (namespaces.user === undefined) {
    for (const [name, mappings] of Object.entries({ uidMappings, gidMappings })) {
      if (mappings.length > 0) {
        throw new InvalidConfigError(`linux.${name}`, `linux.${name}: there is no user namespace`, {
          hint: 'Add {"type": "user"} to linux.namespaces, or remove the mappings.',
        });
      }
    }
    return undefined;
  }
  if (namespaces.user === 'joined') return undefined;
  requireUsable('linux.uidMappings', uidMappings);
  requireUsable('linux.gidMappings', gidMappings);
  const planned = { uidMappings, gidMappings };
  if (launcher.uid === 0) return { ...planned, writtenBy: 'privileged' };
  const mapsOwnOnly = isOwn(uidMappings, launcher.uid) && isOwn(gidMappings, launcher.gid);
  if (!mapsOwnOnly) return { ...planned, writtenBy: 'helpers' };
  return { ...planned, writtenBy: 'own' };
}

/**
 * False where the new user namespace is known to forbid setgroups(2): an unprivileged launcher maps
 * its own group alone, whoever writes the map; user_namespaces(7), newgidmap(1).
 *
 * @throws InvalidConfigError where the specification names groups all the same
 */
export function canSetGroups(
  spec: OciSpec,
  idMaps: PlannedIdMaps | undefined,
  { gid }: Launcher,
): boolean {
  if (idMaps === undefined || idMaps.writtenBy === 'privileged') return true;
  if (!isOwn(idMaps.gidMappings, gid)) return true;
  if ((spec.process.user?.additionalGids ?? []).length === 0) return false;
  throw new InvalidConfigError(
    'process.user.additionalGids',
    'process.user.additionalGids: an unprivileged user namespace with a single group has no others',
    { hint: 'Map a range of /etc/subgid in linux.gidMappings, or leave the list empty.' },
  );
}

const isOwn = (mappings: readonly OciIdMapping[], id: number): boolean =>
  mappings.length === 1 && mappings[0]?.hostID === id && mappings[0].size === 1;

/** The kernel says no more than EINVAL to a map that it does not take; user_namespaces(7). */
function requireUsable(field: string, mappings: readonly OciIdMapping[]): void {
  if (!mappings.some(({ containerID }) => containerID === 0)) {
    throw new InvalidConfigError(field, `${field}: must map the id 0 of the container`, {
      hint: 'A new user namespace needs a root: add {"containerID": 0, "hostID": …, "size": 1}.',
    });
  }
  if (mappings.length > maxMappings) {
    throw new InvalidConfigError(field, `${field}: has more than ${maxMappings} lines`, {
      hint: 'The kernel takes no more; see user_namespaces(7).',
    });
  }
  for (const side of ['containerID', 'hostID'] as const) {
    const sorted = mappings.toSorted((a, b) => a[side] - b[side]);
    for (const [position, mapping] of sorted.entries()) {
      const next = sorted[position + 1];
      const end = mapping[side] + mapping.size;
      const index = mappings.indexOf(mapping);
      if (end > 0xffff_ffff || (next !== undefined && next[side] < end)) {
        const problem = end > 0xffff_ffff ? 'leaves 32 bits' : 'overlaps another one';
        throw new InvalidConfigError(
          `${field}[${index}]`,
          `${field}[${index}]: the range of ${side} ${problem}`,
          { hint: 'Every id may stand in one range only; see user_namespaces(7).' },
        );
      }
    }
  }
}

/** The text of /proc/PID/uid_map and gid_map. */
export function formatIdMap(mappings: readonly OciIdMapping[]): string {
  return mappings
    .map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`)
    .join('');
}
