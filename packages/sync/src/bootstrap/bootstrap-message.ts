/** The kinds of namespace, in the order in which they are joined. */
export const namespaceTypes = [
  'user',
  'ipc',
  'uts',
  'net',
  'pid',
  'mnt',
  'cgroup',
  'time',
] as const;

/** A kind of namespace, named as its file below /proc/PID/ns. */
export type NamespaceType = (typeof namespaceTypes)[number];

/** The flag of clone(2) that makes a new namespace of each kind. */
export const namespaceCloneFlags: Readonly<Record<NamespaceType, number>> = Object.freeze({
  user: 0x1000_0000,
  ipc: 0x0800_0000,
  uts: 0x0400_0000,
  net: 0x4000_0000,
  pid: 0x2000_0000,
  mnt: 0x0002_0000,
  cgroup: 0x0200_0000,
  time: 0x0000_0080,
});

/** A namespace to join. */
export type NamespacePath = {
  /** Absent where the release writes bare paths: 1.0.0-rc2 and older. */
  readonly type?: NamespaceType;
  readonly path: string;
};

/** One line of an id map: `size` ids from `containerId` inside are `hostId` and up outside. */
export type IdMapping = {
  /** 0 to 2^32 - 1, as the other two. */
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
};

/** How far a clock of a new time namespace is ahead; time_namespaces(7). */
export type TimeOffset = {
  readonly clock: 'monotonic' | 'boottime';
  /** Signed 64 bits. */
  readonly secs: number | bigint;
  /** 0 to 999999999. */
  readonly nanosecs: number;
};

/**
 * What the parent tells the first stages of the child before anything else: which namespaces to
 * make and to join, and who is who in them.
 *
 * A member that a release does not know is refused when the message is encoded for it.
 */
export type BootstrapMessage = {
  /** The CLONE_NEW… flags of the namespaces to make; 0 when joining. Not in 0.0.6 to 0.0.8. */
  readonly cloneFlags?: number;
  /** The namespaces to join, each kind at most once. */
  readonly nsPaths?: readonly NamespacePath[];
  /** The maps for a new user namespace. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** The path of newuidmap(1); only for a parent without privileges. */
  readonly uidMapPath?: string;
  /** The path of newgidmap(1); only for a parent without privileges. */
  readonly gidMapPath?: string;
  /** Whether setgroups(2) stays allowed. `false` is never written. */
  readonly setgroups?: boolean;
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number;
  /** Whether the parent runs without privileges. Always written by 1.0.0-rc4 and newer. */
  readonly rootlessEuid?: boolean;
  /** For each mount the source of a bind mount that stage 0 opens, or an empty text. 1.1 only. */
  readonly mountSources?: readonly string[];
  /** Offsets for a new time namespace. Since 1.2. */
  readonly timeOffsets?: readonly TimeOffset[];
  /** The path of the terminal; 1.0.0-rc2 and older. */
  readonly consolePath?: string;
  /** The process whose namespaces are joined; 0.0.6 to 0.0.8. */
  readonly pid?: number;
};
