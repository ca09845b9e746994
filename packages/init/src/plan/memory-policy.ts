import type { OciMemoryPolicy, OciMemoryPolicyFlag } from '../config/spec/attributes.ts';
import { InvalidConfigError } from '../errors.ts';
import { type NumberRanges, parseNumberList } from './number-list.ts';

/** As many nodes as the kernel can be built for: CONFIG_NODES_SHIFT is at most 10. */
export const NODE_MASK_BITS = 1024;
export const highestMemoryNode: number = NODE_MASK_BITS - 1;

/** For set_mempolicy(2). */
export type PlannedMemoryPolicy = {
  /** As the configuration has it, for messages. */
  name: string;
  /** The mode with its flags. */
  mode: number;
  nodes: NumberRanges;
};

// linux/mempolicy.h
const modes: Readonly<Record<OciMemoryPolicy['mode'], number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};
const flagBits: Readonly<Record<OciMemoryPolicyFlag, number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};

/** Names of linux.memoryPolicy's modes and flags, for set_mempolicy(2). */
export const memoryPolicyModes = (): string[] => Object.keys(modes);
export const memoryPolicyFlags = (): string[] => Object.keys(flagBits);

/** @throws InvalidConfigError for nodes where the mode has none, or none where it needs some */
export function planMemoryPolicy(
  policy: OciMemoryPolicy | undefined,
): PlannedMemoryPolicy | undefined {
  if (policy === undefined) return undefined;
  const { mode } = policy;
  const flags = policy.flags ?? [];
  const nodes = parseNumberList(policy.nodes ?? '');
  const hasNone = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL';
  if (hasNone && nodes.length > 0) refuse('nodes', `${mode} has no nodes`);
  // MPOL_PREFERRED without nodes prefers the node of the CPU that allocates.
  if (!hasNone && mode !== 'MPOL_PREFERRED' && nodes.length === 0) {
    refuse('nodes', `${mode} needs at least one node`);
  }
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    refuse('flags', 'MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other');
  }
  return {
    name: mode,
    mode: flags.reduce((bits, flag) => bits | flagBits[flag], modes[mode]),
    nodes,
  };
}

function refuse(name: string, reason: string): never {
  const field = `linux.memoryPolicy.${name}`;
  throw new InvalidConfigError(field, `${field}: ${reason}`, {
    hint: 'See set_mempolicy(2) for what each mode takes.',
  });
}
