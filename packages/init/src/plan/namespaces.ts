import { InvalidConfigError } from '../errors.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciNamespace, OciNamespaceType } from '../config/spec/namespaces.ts';

export const CLONE_NEWTIME = 0x0000_0080;
export const CLONE_NEWNS = 0x0002_0000;
export const CLONE_NEWCGROUP = 0x0200_0000;
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWIPC = 0x0800_0000;
export const CLONE_NEWUSER = 0x1000_0000;
export const CLONE_NEWPID = 0x2000_0000;
export const CLONE_NEWNET = 0x4000_0000;

/** The flag of each type, and its name in /proc/PID/ns; namespaces(7). */
export const namespaceKinds: Readonly<Record<OciNamespaceType, { flag: number; file: string }>> = {
  user: { flag: CLONE_NEWUSER, file: 'user' },
  ipc: { flag: CLONE_NEWIPC, file: 'ipc' },
  uts: { flag: CLONE_NEWUTS, file: 'uts' },
  network: { flag: CLONE_NEWNET, file: 'net' },
  pid: { flag: CLONE_NEWPID, file: 'pid' },
  mount: { flag: CLONE_NEWNS, file: 'mnt' },
  cgroup: { flag: CLONE_NEWCGROUP, file: 'cgroup' },
  time: { flag: CLONE_NEWTIME, file: 'time' },
};

/** Made by the child itself, not by clone3(2): their content must be right before they exist. */
const unsharedTypes: readonly OciNamespaceType[] = ['cgroup', 'time'];

/** A namespace to be joined; `index` is its place in `linux.namespaces`. */
export type PlannedJoin = { type: OciNamespaceType; path: string; flag: number; index: number };

export type PlannedNamespaces = {
  /** For clone3(2): every new namespace but those that the child makes itself. */
  cloneFlags: number;
  joins: PlannedJoin[];
  /** How the user namespace comes about; `undefined` where it is the caller's. */
  user: 'new' | 'joined' | undefined;
  /** Each is new. The child unshares the cgroup one itself, once it is in its cgroup: the namespace's root is where the child then stands. */
  cgroup: boolean;
  network: boolean;
  /**
   * Unshared by the child, once it is the root of its new user namespace: the queues' directory
   * belongs to whoever makes the namespace, and clone3(2) does it as the caller.
   */
  ipc: boolean;
  /** Unshared by the child: its clocks can only be set while nobody is in it. */
  time: boolean;
};

/** @throws InvalidConfigError for a type named twice, or a set-up that would change the host's */
export function planNamespaces(spec: OciSpec): PlannedNamespaces {
  const namespaces = spec.linux?.namespaces ?? [];
  const types = namespaces.map(({ type }) => type);
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
  if (!types.includes('mount')) {
    throw new InvalidConfigError(
      'linux.namespaces',
      'linux.namespaces: a mount namespace is required',
      {
        hint: 'Add {"type": "mount"}: without it the mounts of the configuration would be made on the host.',
      },
    );
  }
  if (!types.includes('uts')) {
    if (spec.hostname !== undefined) refuseWithoutUts('hostname');
    if (spec.domainname !== undefined) refuseWithoutUts('domainname');
  }
  const isNew = (type: OciNamespaceType): boolean =>
    namespaces.some((namespace) => namespace.type === type && !isJoined(namespace));
  const joins = namespaces.flatMap(({ type, path }, index) =>
    path === undefined ? [] : [{ type, path, flag: namespaceKinds[type].flag, index }],
  );
  const isNewUser = isNew('user');
  const joinsUser = joins.some(({ type }) => type === 'user');
  return {
    cloneFlags: types
      .filter((type) => isNew(type) && !unsharedTypes.includes(type))
      .filter((type) => !(isNewUser && type === 'ipc'))
      .reduce((flags, type) => flags | namespaceKinds[type].flag, 0),
    joins,
    user: isNewUser ? 'new' : joinsUser ? 'joined' : undefined,
    cgroup: isNew('cgroup'),
    network: isNew('network'),
    ipc: isNewUser && isNew('ipc'),
    time: isNew('time'),
  };
}

const isJoined = ({ path }: OciNamespace): boolean => path !== undefined;

function refuseWithoutUts(field: string): never {
  throw new InvalidConfigError(field, `${field}: cannot be set without a uts namespace`, {
    hint: `Add {"type": "uts"} to linux.namespaces, or remove ${field}.`,
  });
}
