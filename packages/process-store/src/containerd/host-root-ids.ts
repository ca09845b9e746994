import type { OciIdMapping, OciSpec } from '@pilotlight/init';

/** The ids on the host of the container's user and group 0; 0 without a user namespace, or where no map has them. */
export function hostRootIds(spec: OciSpec): { rootUid: number; rootGid: number } {
  const isMapped = spec.linux?.namespaces?.some(({ type }) => type === 'user') === true;
  if (!isMapped) return { rootUid: 0, rootGid: 0 };
  return {
    rootUid: hostId(spec.linux?.uidMappings ?? []),
    rootGid: hostId(spec.linux?.gidMappings ?? []),
  };
}

function hostId(mappings: readonly OciIdMapping[]): number {
  const map = mappings.find(({ containerID, size }) => containerID === 0 && size > 0);
  return map?.hostID ?? 0;
}
