import { z } from 'zod';

/** A 64-bit number: a `bigint` where a double could not hold it. */
export type Int64 = number | bigint;

type Optional<T> = T | null | undefined;

/** `NEWPID` and so on; an empty path, or none, is a namespace of the container's own. */
export interface RuncNamespace {
  type: string;
  path?: Optional<string>;
}

/** A mount as runc keeps it. `flags` and `propagation_flags` are MS_* values of mount(2). */
export interface RuncMount {
  source: string;
  destination: string;
  device: string;
  flags?: Optional<number>;
  propagation_flags?: Optional<readonly number[]>;
  /** Options of the file system, separated by commas. */
  data?: Optional<string>;
  relabel?: Optional<string>;
  /** For mount_setattr(2), over the whole tree. */
  rec_attr?: Optional<RuncMountAttributes>;
  /** 1: copy what the mount hides into it. */
  extensions?: Optional<number>;
  premount_cmds?: Optional<readonly unknown[]>;
  postmount_cmds?: Optional<readonly unknown[]>;
}

/** struct mount_attr of mount_setattr(2), with the names that Go gives it. */
export interface RuncMountAttributes {
  Attr_set: Int64;
  Attr_clr: Int64;
  Propagation: Int64;
  Userns_fd: Int64;
}

/** A rule of the device controller. `type` is a code point: 97 `a`, 98 `b`, 99 `c`. -1: every number. */
export interface RuncDeviceRule {
  type: number;
  major: Int64;
  minor: Int64;
  /** Some of `r`, `w`, `m`. */
  permissions: string;
  allow: boolean;
}

/** A device node. */
export interface RuncDevice extends RuncDeviceRule {
  path: string;
  file_mode?: Optional<number>;
  uid?: Optional<number>;
  gid?: Optional<number>;
}

/** Where the cgroup is, and its limits under the names that runc gives them. */
export interface RuncCgroup {
  name?: Optional<string>;
  parent?: Optional<string>;
  path?: Optional<string>;
  scope_prefix?: Optional<string>;
  devices?: Optional<readonly RuncDeviceRule[]>;
  readonly [limit: string]: unknown;
}

/** Capability names by set; each set may be missing. */
export interface RuncCapabilities {
  Bounding?: Optional<readonly string[]>;
  Effective?: Optional<readonly string[]>;
  Inheritable?: Optional<readonly string[]>;
  Permitted?: Optional<readonly string[]>;
  Ambient?: Optional<readonly string[]>;
}

export interface RuncIdMapping {
  container_id: Int64;
  host_id: Int64;
  size: Int64;
}

/**
 * The container's configuration as runc keeps it in `state.json`: libcontainer/configs/config.go, by runc's own names.
 *
 * From 1.4 on runc leaves out what is empty. Members that newer releases added are kept as they were read.
 */
export interface RuncConfig {
  no_pivot_root?: Optional<boolean>;
  parent_death_signal?: Optional<number>;
  /** Absolute directory. */
  rootfs: string;
  umask?: Optional<number>;
  readonlyfs?: Optional<boolean>;
  rootPropagation?: Optional<number>;
  mounts?: Optional<readonly RuncMount[]>;
  devices?: Optional<readonly RuncDevice[]>;
  mount_label?: Optional<string>;
  hostname?: Optional<string>;
  namespaces?: Optional<readonly RuncNamespace[]>;
  capabilities?: Optional<RuncCapabilities>;
  networks?: Optional<readonly Readonly<Record<string, unknown>>[]>;
  routes?: Optional<readonly unknown[]>;
  cgroups?: Optional<RuncCgroup>;
  apparmor_profile?: Optional<string>;
  process_label?: Optional<string>;
  rlimits?: Optional<readonly { type: number; hard: Int64; soft: Int64 }[]>;
  oom_score_adj?: Optional<number>;
  uid_mappings?: Optional<readonly RuncIdMapping[]>;
  gid_mappings?: Optional<readonly RuncIdMapping[]>;
  mask_paths?: Optional<readonly string[]>;
  readonly_paths?: Optional<readonly string[]>;
  sysctl?: Optional<Readonly<Record<string, string>>>;
  seccomp?: Optional<Readonly<Record<string, unknown>>>;
  no_new_privileges?: Optional<boolean>;
  Hooks?: Optional<Readonly<Record<string, Optional<readonly unknown[]>>>>;
  /** The version of the OCI specification. */
  version: string;
  /** `key=value`: the annotations, and `bundle=` with the bundle's directory. */
  labels?: Optional<readonly string[]>;
  no_new_keyring?: Optional<boolean>;
  readonly [member: string]: unknown;
}

const int64 = z.union([z.int(), z.bigint()]);
const texts = z.array(z.string()).nullish();
const list = z.array(z.unknown()).nullish();

const ruleMembers = {
  type: z.int(),
  major: int64,
  minor: int64,
  permissions: z.string(),
  allow: z.boolean(),
};

const mountSchema = z.looseObject({
  source: z.string(),
  destination: z.string(),
  device: z.string(),
  flags: z.int().nullish(),
  propagation_flags: z.array(z.int()).nullish(),
  data: z.string().nullish(),
  relabel: z.string().nullish(),
  rec_attr: z
    .looseObject({ Attr_set: int64, Attr_clr: int64, Propagation: int64, Userns_fd: int64 })
    .nullish(),
  extensions: z.int().nullish(),
  premount_cmds: list,
  postmount_cmds: list,
});

const deviceSchema = z.looseObject({
  ...ruleMembers,
  path: z.string(),
  file_mode: z.int().nullish(),
  uid: z.int().nullish(),
  gid: z.int().nullish(),
});

const mappingsSchema = z
  .array(z.looseObject({ container_id: int64, host_id: int64, size: int64 }))
  .nullish();

/** Members in the order in which runc 1.1.5 writes them, which is then also ours. */
export const runcConfigSchema: z.ZodType<RuncConfig> = z.looseObject({
  no_pivot_root: z.boolean().nullish(),
  parent_death_signal: z.int().nullish(),
  rootfs: z.string().startsWith('/'),
  umask: z.int().nullish(),
  readonlyfs: z.boolean().nullish(),
  rootPropagation: z.int().nullish(),
  mounts: z.array(mountSchema).nullish(),
  devices: z.array(deviceSchema).nullish(),
  mount_label: z.string().nullish(),
  hostname: z.string().nullish(),
  namespaces: z.array(z.looseObject({ type: z.string(), path: z.string().nullish() })).nullish(),
  capabilities: z
    .looseObject({
      Bounding: texts,
      Effective: texts,
      Inheritable: texts,
      Permitted: texts,
      Ambient: texts,
    })
    .nullish(),
  networks: z.array(z.looseObject({})).nullish(),
  routes: list,
  cgroups: z
    .looseObject({
      name: z.string().nullish(),
      parent: z.string().nullish(),
      path: z.string().nullish(),
      scope_prefix: z.string().nullish(),
      devices: z.array(z.looseObject(ruleMembers)).nullish(),
    })
    .nullish(),
  apparmor_profile: z.string().nullish(),
  process_label: z.string().nullish(),
  rlimits: z.array(z.looseObject({ type: z.int(), hard: int64, soft: int64 })).nullish(),
  oom_score_adj: z.int().nullish(),
  uid_mappings: mappingsSchema,
  gid_mappings: mappingsSchema,
  mask_paths: texts,
  readonly_paths: texts,
  sysctl: z.record(z.string(), z.string()).nullish(),
  seccomp: z.looseObject({}).nullish(),
  no_new_privileges: z.boolean().nullish(),
  Hooks: z.record(z.string(), list).nullish(),
  version: z.string(),
  labels: texts,
  no_new_keyring: z.boolean().nullish(),
});
