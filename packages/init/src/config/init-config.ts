import type { PlannedLabels } from '../lsm/plan-labels.ts';
import type { PlannedActivation } from '../plan/activation.ts';
import type { PlannedCapabilities } from '../plan/capabilities.ts';
import type { PlannedDevice } from '../plan/devices.ts';
import type { AttributeChange, PropagationChange } from '../plan/mount-options.ts';
import type { MovedNetDevice } from '../plan/net-devices.ts';
import type { PlannedRlimit } from '../plan/rlimits.ts';
import type { PlannedScheduling } from '../plan/scheduling.ts';
import type { PlannedSysctl } from '../plan/sysctl.ts';

/**
 * What the parent hands over to the child: the plan of one launch, as JSON on the init socket.
 *
 * Everything that can be decided beforehand has been, so that the child only makes system calls.
 * Both sides come from the same build; the parent validated the configuration this is made from.
 */
export type InitConfig = {
  id: string;
  args: string[];
  env: string[];
  cwd: string;
  /** Join a session keyring of this name; see keyrings(7). Without it the launching process's is kept. */
  keyring: string | undefined;
  unshareCgroup: boolean;
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
  console: { height: number; width: number } | undefined;
  activation: PlannedActivation | undefined;
  sysctls: PlannedSysctl[];
  labels: PlannedLabels | undefined;
  scheduling: PlannedScheduling;
  rlimits: PlannedRlimit[];
  oomScoreAdj: number | undefined;
  umask: number;
  noNewPrivileges: boolean;
  user: { uid: number; gid: number; additionalGids: number[] };
  capabilities: PlannedCapabilities;
};

export type PlannedRootfs = {
  /** Absolute path in the parent's mount namespace. */
  path: string;
  readonly: boolean;
  /** Also make everything that is mounted below the root read-only, before the own mounts come. */
  readonlyBelow: boolean;
  /** MS_SLAVE or MS_PRIVATE, for the whole mount namespace. */
  propagation: number;
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
  parameters: [key: string, value: string | null][];
  propagation: PropagationChange[];
};

/** A part of the parent's tree: open_tree, mount_setattr, move_mount. */
export type PlannedBind = Planned & {
  kind: 'bind';
  source: string;
  recursive: boolean;
  attributes: AttributeChange;
  recursiveAttributes: AttributeChange;
  propagation: PropagationChange[];
};

/** A symbolic link inside a mount that was made before. */
export type PlannedSymlink = Planned & { kind: 'symlink'; target: string };

/** Makes a mount that was made before, and has now been filled, read-only. */
export type PlannedSeal = Planned & { kind: 'seal' };

export type PlannedMount = PlannedFilesystem | PlannedBind | PlannedSymlink | PlannedSeal;
