import type { MountIdMapping } from '@pilotlight/sync';
import type { PlannedLabels } from '../lsm/plan-labels.ts';
import type { PlannedActivation } from '../plan/activation.ts';
import type { PlannedCapabilities } from '../plan/capabilities.ts';
import type { PlannedDevice } from '../plan/devices.ts';
import type { ChildHooks } from '../plan/hooks.ts';
import type { AttributeChange, PropagationChange } from '../plan/mount-options.ts';
import type { MovedNetDevice } from '../plan/net-devices.ts';
import type { NumberRanges } from '../plan/number-list.ts';
import type { PlannedRlimit } from '../plan/rlimits.ts';
import type { PlannedScheduling } from '../plan/scheduling.ts';
import type { PlannedSysctl } from '../plan/sysctl.ts';
import type { PlannedSeccomp } from '../seccomp/plan-seccomp.ts';

/**
 * What the parent hands over to the child: the plan of one launch, as JSON on the init socket.
 *
 * Everything that can be decided beforehand has been, so that the child only makes system calls.
 * Both sides come from the same build; the parent validated the configuration this is made from.
 */
export type InitConfig = ProcessConfig & ContainerConfig;

/** What every child needs: the first of a container, and one that enters it later. */
export type ProcessConfig = {
  id: string;
  /** It enters a container that is there, and goes only through the stages for that. */
  entering: boolean;
  args: string[];
  env: string[];
  cwd: string;
  /** Join a session keyring of this name; see keyrings(7). Without it the launching process's is kept. */
  keyring: string | undefined;
  /** In the order of the `joins` descriptors; empty where an entry process has joined them. */
  joins: NamespaceToJoin[];
  /** Become the root of the user namespace, which is not the launcher's. */
  becomeRoot: boolean;
  /** False where the user namespace forbids setgroups(2). */
  canSetGroups: boolean;
  console: { height: number; width: number } | undefined;
  activation: PlannedActivation | undefined;
  /** CPUs to stay on, of those that the cgroup has; all where there are none. */
  cpus: NumberRanges | undefined;
  labels: PlannedLabels | undefined;
  scheduling: PlannedScheduling;
  rlimits: PlannedRlimit[];
  oomScoreAdj: number | undefined;
  umask: number;
  noNewPrivileges: boolean;
  /** Loaded as the last thing before the program where there are no new privileges, else as root. */
  seccomp: PlannedSeccomp | undefined;
  user: { uid: number; gid: number; additionalGids: number[] };
  capabilities: PlannedCapabilities;
};

/** What only the first process of a container needs, which sets the container up. */
export type ContainerConfig = {
  /** As the root of a new user namespace. */
  unshareIpc: boolean;
  unshareCgroup: boolean;
  /** What to set the clocks of a new time namespace to, as /proc/PID/timens_offsets takes it. */
  timeOffsets: string | undefined;
  loopbackUp: boolean;
  /** Filled in by the parent, once they are moved. */
  netDevices: MovedNetDevice[];
  hostname: string | undefined;
  domainname: string | undefined;
  rootfs: PlannedRootfs;
  mounts: PlannedMount[];
  /** Empty when /dev is not ours to fill, because the configuration binds it from outside. */
  devices: readonly PlannedDevice[];
  devLinks: readonly (readonly [name: string, target: string])[];
  maskedPaths: string[];
  readonlyPaths: string[];
  sysctls: PlannedSysctl[];
  hooks: ChildHooks | undefined;
};

/** A namespace to join, or several of one process. */
export type NamespaceToJoin = {
  /** CLONE_NEW… flags: one for a namespace's own descriptor, any for a pidfd (Linux 5.8). */
  flags: number;
  /** What messages call it. */
  name: string;
};

export type PlannedRootfs = {
  /** Absolute path in the parent's mount namespace. */
  path: string;
  readonly: boolean;
  /** Also make everything that is mounted below the root read-only, before the own mounts come. */
  readonlyBelow: boolean;
  /**
   * For the whole mount namespace before anything is mounted: MS_SLAVE or MS_PRIVATE, which cut it
   * off from the host, or MS_SHARED, which keeps it tied to the host.
   */
  propagation: number;
  /** False: for the host's root mount alone. */
  propagationRecursive: boolean;
  /** For the container's root, once it is the root and nothing more is mounted. */
  ownPropagation?: PropagationChange;
  /** Without pivot_root(2), which cannot take off the initial ramfs: the root is moved over the old one. */
  noPivot?: true;
};

/** Common to all: where it goes inside the root, and which entry of `mounts` it comes from. */
type Planned = { destination: string; index: number };

/** A new file system: fsopen, fsconfig, fsmount, move_mount. */
export type PlannedFilesystem = Planned & {
  kind: 'filesystem';
  fstype: string;
  source: string;
  attributes: number;
  superblockFlags: string[];
  parameters: FilesystemParameter[];
  propagation: PropagationChange[];
  /** proc and sysfs: only on an ordinary directory of exactly this path, through no link (CVE-2019-19921). */
  noLinks?: true;
  /** A tmpfs without a mode of its own: that of the directory it covers. */
  inheritMode?: true;
  /** Filled with what the directory holds that it covers. */
  copyUp?: true;
  /** The parameters as one text for mount(2), for a kernel that cannot take them one by one. */
  classicData?: string;
};

/** `null` for one without a value. */
export type FilesystemParameter = [key: string, value: string | null];

/** A part of the parent's tree: open_tree, mount_setattr, move_mount. */
export type PlannedBind = Planned & {
  kind: 'bind';
  source: string;
  recursive: boolean;
  attributes: AttributeChange;
  recursiveAttributes: AttributeChange;
  propagation: PropagationChange[];
  /** What is bound instead where a rootless launch goes on without the cgroup that `source` is. */
  sourceWithoutCgroup?: string;
  /** The source must be a procfs: the place is the container's /proc. */
  onlyProc?: true;
  /** Its ids are mapped, which the parent does: it makes the user namespace that has the maps. */
  idMapping?: MountIdMapping;
};

/** Other attributes for what is mounted at the place already. */
export type PlannedRemount = Planned & {
  kind: 'remount';
  attributes: AttributeChange;
  recursiveAttributes: AttributeChange;
  propagation: PropagationChange[];
};

/** A symbolic link inside a mount that was made before. */
export type PlannedSymlink = Planned & { kind: 'symlink'; target: string };

/** Makes a mount that was made before, and has now been filled, read-only. */
export type PlannedSeal = Planned & { kind: 'seal' };

export type PlannedMount =
  | PlannedFilesystem
  | PlannedBind
  | PlannedRemount
  | PlannedSymlink
  | PlannedSeal;
