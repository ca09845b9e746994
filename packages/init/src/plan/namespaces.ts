import { InvalidConfigError } from '../errors.ts';
import type { OciNamespaceType, OciSpec } from '../config/oci-spec.ts';

export const CLONE_NEWNS = 0x0002_0000;
export const CLONE_NEWCGROUP = 0x0200_0000;
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWIPC = 0x0800_0000;
export const CLONE_NEWUSER = 0x1000_0000;
export const CLONE_NEWPID = 0x2000_0000;
export const CLONE_NEWNET = 0x4000_0000;

const cloneFlag: Readonly<Partial<Record<OciNamespaceType, number>>> = {
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  mount: CLONE_NEWNS,
};

export type PlannedNamespaces = {
  /** For clone3(2): every new namespace but the cgroup one. */
  cloneFlags: number;
  /** The child unshares its cgroup namespace itself, once it is in its cgroup: the namespace's root is where the child then stands. */
  cgroup: boolean;
  network: boolean;
};

/** @throws InvalidConfigError for a type named twice, or a set-up that would change the host's */
export function planNamespaces(spec: OciSpec): PlannedNamespaces {
  const types = (spec.linux?.namespaces ?? []).map((namespace) => namespace.type);
  const repeated = types.findIndex((type, index) => types.indexOf(type) !== index);
  if (repeated !== -1) {
    const field = `linux.namespaces[${repeated}]`;
    throw new InvalidConfigError(
      field,
      `${field}: the ${types[repeated]} namespace is named twice`,
      {
        hint: 'Name each namespace type at most once.',
      },
    );
  }
  const has = (type: OciNamespaceType): boolean => types.includes(type);
  if (!has('mount')) {
    throw new InvalidConfigError(
      'linux.namespaces',
      'linux.namespaces: a mount namespace is required',
      {
        hint: 'Add {"type": "mount"}: without it the mounts of the configuration would be made on the host.',
      },
    );
  }
  if (spec.hostname !== undefined && !has('uts')) refuseWithoutUts('hostname');
  if (spec.domainname !== undefined && !has('uts')) refuseWithoutUts('domainname');
  return {
    cloneFlags: types.reduce((flags, type) => flags | (cloneFlag[type] ?? 0), 0),
    cgroup: has('cgroup'),
    network: has('network'),
  };
}

function refuseWithoutUts(field: string): never {
  throw new InvalidConfigError(field, `${field}: cannot be set without a uts namespace`, {
    hint: `Add {"type": "uts"} to linux.namespaces, or remove ${field}.`,
  });
}
