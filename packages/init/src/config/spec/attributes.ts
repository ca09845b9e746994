// Attributes of the process and of the kernel, as types: config.md "Linux Process" and
// config-linux.md of the OCI runtime specification 1.3.

export type OciSchedulerPolicy =
  | 'SCHED_OTHER'
  | 'SCHED_FIFO'
  | 'SCHED_RR'
  | 'SCHED_BATCH'
  | 'SCHED_IDLE'
  | 'SCHED_DEADLINE'
  /** In the specification; no released kernel has it. */
  | 'SCHED_ISO';

export type OciSchedulerFlag =
  | 'SCHED_FLAG_RESET_ON_FORK'
  | 'SCHED_FLAG_RECLAIM'
  | 'SCHED_FLAG_DL_OVERRUN'
  | 'SCHED_FLAG_KEEP_POLICY'
  | 'SCHED_FLAG_KEEP_PARAMS'
  | 'SCHED_FLAG_UTIL_CLAMP_MIN'
  | 'SCHED_FLAG_UTIL_CLAMP_MAX';

/** sched_setattr(2) */
export type OciScheduler = {
  policy: OciSchedulerPolicy;
  /** -20 to 19; for SCHED_OTHER and SCHED_BATCH. */
  nice?: number | undefined;
  /** 1 to 99; for SCHED_FIFO and SCHED_RR. */
  priority?: number | undefined;
  flags?: OciSchedulerFlag[] | null | undefined;
  /** Nanoseconds, as the next two; for SCHED_DEADLINE. */
  runtime?: number | bigint | undefined;
  deadline?: number | bigint | undefined;
  period?: number | bigint | undefined;
};

export type OciIoPriorityClass = 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';

/** ioprio_set(2); `priority` is 0, the highest, to 7. */
export type OciIoPriority = { class: OciIoPriorityClass; priority: number };

/** Lists such as `0-3,7`. For processes that enter a running container; the first one has none. */
export type OciExecCpuAffinity = { initial?: string | undefined; final?: string | undefined };

/** personality(2); the specification has no flags yet. */
export type OciPersonality = { domain: 'LINUX' | 'LINUX32'; flags?: string[] | null | undefined };

export type OciMemoryPolicyMode =
  | 'MPOL_DEFAULT'
  | 'MPOL_BIND'
  | 'MPOL_INTERLEAVE'
  | 'MPOL_WEIGHTED_INTERLEAVE'
  | 'MPOL_PREFERRED'
  | 'MPOL_PREFERRED_MANY'
  | 'MPOL_LOCAL';

export type OciMemoryPolicyFlag =
  | 'MPOL_F_NUMA_BALANCING'
  | 'MPOL_F_RELATIVE_NODES'
  | 'MPOL_F_STATIC_NODES';

/** set_mempolicy(2) */
export type OciMemoryPolicy = {
  mode: OciMemoryPolicyMode;
  /** A list such as `0-3,7`. */
  nodes?: string | undefined;
  flags?: OciMemoryPolicyFlag[] | null | undefined;
};

/** A class of service of resctrl; Documentation/filesystems/resctrl.rst of the kernel. */
export type OciIntelRdt = {
  /** Name of the group's directory; `/` is the group that everything is in by default. */
  closID?: string | undefined;
  l3CacheSchema?: string | undefined;
  memBwSchema?: string | undefined;
  /** Lines for the file `schemata`, after the two above. */
  schemata?: string[] | null | undefined;
  enableMonitoring?: boolean | undefined;
};

/** A network interface of the host that moves into the container; `name` may end in `%d`. */
export type OciNetDevice = { name?: string | undefined };
