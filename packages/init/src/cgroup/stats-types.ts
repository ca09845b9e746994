/** Counted for a throttled cgroup; the kernel's `cpu.stat`. */
export type CpuThrottling = {
  periods: bigint;
  throttledPeriods: bigint;
  /** Nanoseconds. */
  throttledTime: bigint;
  /** Linux 5.15. */
  burstPeriods: bigint | undefined;
  burstTime: bigint | undefined;
};

/** One line of a pressure file, with percentages over the last 10, 60 and 300 seconds. */
export type PressureLine = {
  avg10: number;
  avg60: number;
  avg300: number;
  /** Microseconds since the cgroup was made. */
  total: bigint;
};

/** Pressure stall information: Documentation/accounting/psi.rst. `full` is missing for cpu before Linux 5.13. */
export type Pressure = { some: PressureLine | undefined; full: PressureLine | undefined };

export type CpuStats = {
  /** Nanoseconds. */
  usage: {
    total: bigint;
    kernel: bigint;
    user: bigint;
    /** For each possible CPU; v1 alone. */
    percpu: bigint[] | undefined;
    percpuKernel: bigint[] | undefined;
    percpuUser: bigint[] | undefined;
  };
  throttling: CpuThrottling;
  psi: Pressure | undefined;
};

/** Bytes. */
export type MemoryAmount = {
  usage: bigint;
  /** The highest that there was; Linux 5.19 on v2. */
  max: bigint | undefined;
  /** How often the limit was met. */
  failcnt: bigint | undefined;
  /** `undefined` where there is none. */
  limit: bigint | undefined;
};

export type MemoryStats = {
  /** Page cache, in bytes. */
  cache: bigint;
  usage: MemoryAmount;
  /** Of memory and swap together on v1, of swap alone on v2; `undefined` where the kernel does not count it. */
  swap: MemoryAmount | undefined;
  kernel: MemoryAmount | undefined;
  kernelTCP: MemoryAmount | undefined;
  /** `memory.stat` as it is. */
  raw: Record<string, bigint>;
  /** `memory.events` of v2; of v1 only the OOM kills. */
  events: Record<string, bigint>;
  psi: Pressure | undefined;
};

export type PidsStats = {
  current: bigint;
  /** `undefined` where there is none. */
  limit: bigint | undefined;
  /** Linux 6.11 on v2. */
  peak: bigint | undefined;
  /** Forks that failed because of the limit. */
  limitHits: bigint;
};

/** As in v1's blkio files; `op` is `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total` or, without one, empty. */
export type BlkioEntry = { major: number; minor: number; op: string; value: bigint };

/** Empty lists for what the kernel does not count. */
export type BlkioStats = {
  /** Bytes. */
  ioServiceBytesRecursive: BlkioEntry[];
  /** Operations. */
  ioServicedRecursive: BlkioEntry[];
  ioQueueRecursive: BlkioEntry[];
  /** Nanoseconds. */
  ioServiceTimeRecursive: BlkioEntry[];
  ioWaitTimeRecursive: BlkioEntry[];
  ioMergedRecursive: BlkioEntry[];
  /** Milliseconds. */
  ioTimeRecursive: BlkioEntry[];
  sectorsRecursive: BlkioEntry[];
  psi: Pressure | undefined;
};

/** Bytes. */
export type HugetlbStats = { usage: bigint; max: bigint | undefined; failcnt: bigint };

export type RdmaEntry = {
  device: string;
  /** `undefined` where there is no limit. */
  hcaHandles: bigint | undefined;
  hcaObjects: bigint | undefined;
};

/** What a container uses; a part is `undefined` where its controller does not count for these cgroups. */
export type CgroupStats = {
  cpu: CpuStats | undefined;
  memory: MemoryStats | undefined;
  pids: PidsStats | undefined;
  blkio: BlkioStats | undefined;
  /** By page size, such as `2MB`. */
  hugetlb: Record<string, HugetlbStats>;
  rdma: { current: RdmaEntry[]; limit: RdmaEntry[] } | undefined;
};
