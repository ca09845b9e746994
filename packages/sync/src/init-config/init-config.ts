// The members keep the spelling of the wire. Each may be absent: Go writes its zero value then, or
// null, or leaves the member out, as the layout of the release demands, and reading turns null and
// what is missing into absence. An absent list and an empty one are different things.

/** An exact integer: `number` where safe, `bigint` beyond 2^53 - 1; both may be given. */
export type GoInteger = number | bigint;

/** A program that runs at a point of the container's life. */
export type InitHook = {
  readonly path?: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly dir?: string;
  /** Nanoseconds. */
  readonly timeout?: GoInteger;
};

/** The hooks by their point. */
export type InitHooks = {
  readonly createContainer?: readonly InitHook[];
  readonly createRuntime?: readonly InitHook[];
  readonly poststart?: readonly InitHook[];
  readonly poststop?: readonly InitHook[];
  readonly prestart?: readonly InitHook[];
  readonly startContainer?: readonly InitHook[];
};

/** Names such as `CAP_KILL` for each set; capabilities(7). */
export type InitCapabilities = {
  readonly Bounding?: readonly string[];
  readonly Effective?: readonly string[];
  readonly Inheritable?: readonly string[];
  readonly Permitted?: readonly string[];
  readonly Ambient?: readonly string[];
};

/** A resource limit; RLIM_INFINITY is 18446744073709551615n. */
export type InitRlimit = {
  /** The number of the RLIMIT_… constant. */
  readonly type?: GoInteger;
  readonly hard?: GoInteger;
  readonly soft?: GoInteger;
};

export type InitIdMap = {
  readonly container_id?: GoInteger;
  readonly host_id?: GoInteger;
  readonly size?: GoInteger;
};

/** One mount. */
export type InitMount = {
  readonly source?: string;
  readonly destination?: string;
  /** The file system type; `bind` for a bind mount. */
  readonly device?: string;
  /** MS_… bits of mount(2). */
  readonly flags?: GoInteger;
  /** Since 1.2. */
  readonly cleared_flags?: GoInteger;
  readonly propagation_flags?: readonly GoInteger[];
  readonly data?: string;
  /** Never written since 1.5. */
  readonly relabel?: string;
  readonly rec_attr?: {
    readonly Attr_set?: GoInteger;
    readonly Attr_clr?: GoInteger;
    readonly Propagation?: GoInteger;
    readonly Userns_fd?: GoInteger;
  };
  readonly extensions?: GoInteger;
  /** 1.1 only. */
  readonly premount_cmds?: readonly InitHook[];
  /** 1.1 only. */
  readonly postmount_cmds?: readonly InitHook[];
  /** Since 1.2. */
  readonly id_mapping?: {
    readonly recursive?: boolean;
    readonly userns_path?: string;
    readonly uid_mappings?: readonly InitIdMap[];
    readonly gid_mappings?: readonly InitIdMap[];
  };
};

/** A rule of the device cgroup. */
export type InitDeviceRule = {
  /** A letter as its code point: 97 all, 98 block, 99 character, 112 pipe. */
  readonly type?: GoInteger;
  /** -1 stands for every number. */
  readonly major?: GoInteger;
  readonly minor?: GoInteger;
  readonly permissions?: string;
  readonly allow?: boolean;
};

/** A device node to make. */
export type InitDevice = InitDeviceRule & {
  readonly path?: string;
  /** As a number: 0666 is 438. */
  readonly file_mode?: GoInteger;
  readonly uid?: GoInteger;
  readonly gid?: GoInteger;
};

export type InitNetwork = {
  readonly type?: string;
  readonly name?: string;
  readonly bridge?: string;
  readonly mac_address?: string;
  readonly address?: string;
  readonly gateway?: string;
  readonly ipv6_address?: string;
  readonly ipv6_gateway?: string;
  readonly mtu?: GoInteger;
  readonly txqueuelen?: GoInteger;
  readonly host_interface_name?: string;
  readonly hairpin_mode?: boolean;
};

export type InitWeightDevice = {
  readonly major?: GoInteger;
  readonly minor?: GoInteger;
  readonly weight?: GoInteger;
  readonly leafWeight?: GoInteger;
};

export type InitThrottleDevice = {
  readonly major?: GoInteger;
  readonly minor?: GoInteger;
  readonly rate?: GoInteger;
};

/** The cgroup and its limits. */
export type InitCgroup = {
  readonly name?: string;
  readonly parent?: string;
  readonly path?: string;
  readonly scope_prefix?: string;
  readonly devices?: readonly InitDeviceRule[];
  readonly memory?: GoInteger;
  readonly memory_reservation?: GoInteger;
  readonly memory_swap?: GoInteger;
  readonly cpu_shares?: GoInteger;
  readonly cpu_quota?: GoInteger;
  /** Since 1.2, as cpu_idle and memory_check_before_update. */
  readonly cpu_burst?: GoInteger;
  readonly cpu_period?: GoInteger;
  readonly cpu_rt_quota?: GoInteger;
  readonly cpu_rt_period?: GoInteger;
  readonly cpuset_cpus?: string;
  readonly cpuset_mems?: string;
  readonly cpu_idle?: GoInteger;
  readonly pids_limit?: GoInteger;
  readonly blkio_weight?: GoInteger;
  readonly blkio_leaf_weight?: GoInteger;
  readonly blkio_weight_device?: readonly InitWeightDevice[];
  readonly blkio_throttle_read_bps_device?: readonly InitThrottleDevice[];
  readonly blkio_throttle_write_bps_device?: readonly InitThrottleDevice[];
  readonly blkio_throttle_read_iops_device?: readonly InitThrottleDevice[];
  readonly blkio_throttle_write_iops_device?: readonly InitThrottleDevice[];
  readonly freezer?: string;
  readonly hugetlb_limit?: readonly { readonly page_size?: string; readonly limit?: GoInteger }[];
  readonly oom_kill_disable?: boolean;
  readonly memory_swappiness?: GoInteger;
  readonly net_prio_ifpriomap?: readonly {
    readonly interface?: string;
    readonly priority?: GoInteger;
  }[];
  readonly net_cls_classid_u?: GoInteger;
  readonly rdma?: Readonly<
    Record<string, { readonly hca_handles?: GoInteger; readonly hca_objects?: GoInteger }>
  >;
  readonly cpu_weight?: GoInteger;
  readonly unified?: Readonly<Record<string, string>>;
  readonly memory_check_before_update?: boolean;
  readonly Systemd?: boolean;
  readonly Rootless?: boolean;
  readonly owner_uid?: GoInteger;
};

/**
 * Actions: 1 kill, 2 errno, 3 trap, 4 allow, 5 trace, 6 log, 7 notify, 8 kill thread, 9 kill
 * process. Operators: 1 ==, 2 !=, 3 >, 4 >=, 5 <, 6 <=, 7 masked.
 */
export type InitSeccomp = {
  readonly default_action?: GoInteger;
  readonly architectures?: readonly string[];
  /** Since 1.2. */
  readonly flags?: readonly string[];
  readonly syscalls?: readonly {
    readonly name?: string;
    readonly action?: GoInteger;
    readonly errnoRet?: GoInteger;
    readonly args?: readonly {
      readonly index?: GoInteger;
      readonly value?: GoInteger;
      readonly value_two?: GoInteger;
      readonly op?: GoInteger;
    }[];
  }[];
  readonly default_errno_ret?: GoInteger;
  readonly listener_path?: string;
  readonly listener_metadata?: string;
};

export type InitScheduler = {
  readonly policy?: string;
  readonly nice?: GoInteger;
  readonly priority?: GoInteger;
  readonly flags?: readonly string[];
  readonly runtime?: GoInteger;
  readonly deadline?: GoInteger;
  readonly period?: GoInteger;
};

export type InitIoPriority = { readonly class?: string; readonly priority?: GoInteger };

/** Masks of 16 words of 64 bits each, the lowest CPU in the lowest bit of the first. */
export type InitCpuAffinity = {
  readonly Initial?: readonly GoInteger[];
  readonly Final?: readonly GoInteger[];
};

/** What the container is; also the `config` of runc's state.json. */
export type ContainerConfig = {
  readonly no_pivot_root?: boolean;
  readonly parent_death_signal?: GoInteger;
  readonly rootfs?: string;
  readonly umask?: GoInteger;
  readonly readonlyfs?: boolean;
  /** MS_… bits of mount(2). */
  readonly rootPropagation?: GoInteger;
  readonly mounts?: readonly InitMount[];
  readonly devices?: readonly InitDevice[];
  /** By the name of the device on the host; since 1.4. */
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly mount_label?: string;
  readonly hostname?: string;
  /** Since 1.2. */
  readonly domainname?: string;
  /** Types such as `NEWPID`; an empty path makes a new one. */
  readonly namespaces?: readonly { readonly type?: string; readonly path?: string }[];
  readonly capabilities?: InitCapabilities;
  readonly networks?: readonly InitNetwork[];
  readonly routes?: readonly {
    readonly destination?: string;
    readonly source?: string;
    readonly gateway?: string;
    readonly interface_name?: string;
  }[];
  readonly cgroups?: InitCgroup;
  readonly apparmor_profile?: string;
  readonly process_label?: string;
  readonly rlimits?: readonly InitRlimit[];
  readonly oom_score_adj?: GoInteger;
  readonly uid_mappings?: readonly InitIdMap[];
  readonly gid_mappings?: readonly InitIdMap[];
  readonly mask_paths?: readonly string[];
  readonly readonly_paths?: readonly string[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly seccomp?: InitSeccomp;
  readonly no_new_privileges?: boolean;
  readonly Hooks?: InitHooks;
  /** The version of the OCI specification that the runtime follows. */
  readonly version?: string;
  /** `key=value`; the last one is `bundle=PATH`. */
  readonly labels?: readonly string[];
  readonly no_new_keyring?: boolean;
  readonly intel_rdt?: {
    readonly closID?: string;
    readonly schemata?: readonly string[];
    readonly l3_cache_schema?: string;
    readonly memBwSchema?: string;
    readonly enableMonitoring?: boolean;
  };
  /** Since 1.4. */
  readonly memory_policy?: {
    readonly mode?: GoInteger;
    readonly flags?: GoInteger;
    readonly nodes?: readonly GoInteger[];
  };
  readonly rootless_euid?: boolean;
  readonly rootless_cgroups?: boolean;
  /** By the clock; since 1.2, as scheduler, personality and io_priority. */
  readonly time_offsets?: Readonly<
    Record<string, { readonly secs?: GoInteger; readonly nanosecs?: GoInteger }>
  >;
  readonly scheduler?: InitScheduler;
  readonly personality?: { readonly domain?: GoInteger };
  readonly io_priority?: InitIoPriority;
  /** Since 1.3. */
  readonly exec_cpu_affinity?: InitCpuAffinity;
};

/**
 * What the parent hands to the Go part of the child, behind the bootstrap message on the init pipe:
 * the process to become, and the container it is in.
 */
export type InitConfig = {
  readonly args?: readonly string[];
  /** `KEY=value`. Never put the values into a message for people. */
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly capabilities?: InitCapabilities;
  readonly process_label?: string;
  readonly apparmor_profile?: string;
  readonly no_new_privileges?: boolean;
  /** `uid:gid`; before 1.3. */
  readonly user?: string;
  /** Since 1.3, as gid. */
  readonly uid?: GoInteger;
  readonly gid?: GoInteger;
  /** Texts before 1.3, numbers since. */
  readonly additional_groups?: readonly string[] | readonly GoInteger[];
  readonly config?: ContainerConfig;
  readonly network?: readonly (InitNetwork & { readonly temp_veth_peer_name?: string })[];
  readonly passed_files_count?: GoInteger;
  readonly containerid?: string;
  readonly rlimits?: readonly InitRlimit[];
  readonly create_console?: boolean;
  readonly console_width?: GoInteger;
  readonly console_height?: GoInteger;
  /** Before 1.3, as rootless_cgroups. */
  readonly rootless_euid?: boolean;
  readonly rootless_cgroups?: boolean;
  /** Since 1.3, as scheduler and cpu_affinity. */
  readonly io_priority?: InitIoPriority;
  readonly scheduler?: InitScheduler;
  readonly cpu_affinity?: InitCpuAffinity;
  /** Required by a standard child up to 1.2, which panics without it. */
  readonly spec_state?: {
    readonly ociVersion?: string;
    readonly id?: string;
    readonly status?: string;
    readonly pid?: GoInteger;
    readonly bundle?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  /** The unified hierarchy only. */
  readonly cgroup2_path?: string;
};
