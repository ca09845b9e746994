import type { OciLinuxFeatures } from './oci-features.ts';

const modes = [
  'MPOL_DEFAULT',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED',
  'MPOL_PREFERRED_MANY',
  'MPOL_LOCAL',
];
const flags = ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'];

/** The policies of set_mempolicy(2) by their names; all that the specification has, or none. */
export const memoryPolicyFeatures = (enabled: boolean): OciLinuxFeatures['memoryPolicy'] =>
  enabled ? { modes: [...modes], flags: [...flags] } : { modes: [], flags: [] };
