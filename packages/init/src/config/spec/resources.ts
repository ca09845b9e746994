import type { OciDeviceRule } from '../oci-spec.ts';

/** `linux.resources`; which control file each becomes is told in cgroup/plan-v1.ts and cgroup/plan-v2.ts. */
export type OciResources = {
  devices?: OciDeviceRule[] | null | undefined;
  memory?: OciMemory | null | undefined;
  cpu?: OciCpu | null | undefined;
  pids?: OciPids | null | undefined;
  blockIO?: OciBlockIO | null | undefined;
  hugepageLimits?: OciHugepageLimit[] | null | undefined;
  network?: OciNetworkResources | null | undefined;
  /** By device, as /sys/class/infiniband names it. */
  rdma?: Record<string, OciRdma> | null | undefined;
  /** By control file of cgroup v2: its text. */
  unified?: Record<string, string> | null | undefined;
  [field: string]: unknown;
};

/** Bytes; -1 is no limit, and 0 says nothing. */
export type OciMemory = {
  limit?: number | bigint | undefined;
  reservation?: number | bigint | undefined;
  /** Memory and swap together. */
  swap?: number | bigint | undefined;
  kernel?: number | bigint | undefined;
  kernelTCP?: number | bigint | undefined;
  /** 0 to 100; the highest 64-bit number says nothing. */
  swappiness?: number | bigint | undefined;
  disableOOMKiller?: boolean | undefined;
  useHierarchy?: boolean | undefined;
  /** Whether an update that sets a limit below what is in use is refused. */
  checkBeforeUpdate?: boolean | undefined;
};

export type OciCpu = {
  /** Relative weight, 2 to 262144, 1024 by default; 0 says nothing. */
  shares?: number | bigint | undefined;
  /** Microseconds in each period; negative is no limit, and 0 says nothing. */
  quota?: number | bigint | undefined;
  /** Microseconds that may be saved up on top of the quota. */
  burst?: number | bigint | undefined;
  /** Microseconds; 0 says nothing. */
  period?: number | bigint | undefined;
  /** Microseconds in each realtime period; 0 says nothing. */
  realtimeRuntime?: number | bigint | undefined;
  realtimePeriod?: number | bigint | undefined;
  /** A list such as `0-3,7`. */
  cpus?: string | undefined;
  mems?: string | undefined;
  /** 1: only when nothing else wants to run. */
  idle?: number | bigint | undefined;
};

export type OciPids = {
  /** Negative is no limit. */
  limit?: number | bigint | undefined;
};

export type OciBlockIO = {
  /** 10 to 1000; 0 says nothing. */
  weight?: number | undefined;
  leafWeight?: number | undefined;
  weightDevice?: OciWeightDevice[] | null | undefined;
  throttleReadBpsDevice?: OciThrottleDevice[] | null | undefined;
  throttleWriteBpsDevice?: OciThrottleDevice[] | null | undefined;
  throttleReadIOPSDevice?: OciThrottleDevice[] | null | undefined;
  throttleWriteIOPSDevice?: OciThrottleDevice[] | null | undefined;
};

type OciBlockDevice = { major: number | bigint; minor: number | bigint };

export type OciWeightDevice = OciBlockDevice & {
  weight?: number | undefined;
  leafWeight?: number | undefined;
};

/** Bytes or operations per second; 0 is no limit. */
export type OciThrottleDevice = OciBlockDevice & { rate: number | bigint };

export type OciHugepageLimit = {
  /** Such as `2MB`, `64KB`, `1GB`. */
  pageSize: string;
  /** Bytes. */
  limit: number | bigint;
};

export type OciNetworkResources = {
  classID?: number | undefined;
  priorities?: { name: string; priority: number }[] | null | undefined;
};

export type OciRdma = {
  hcaHandles?: number | undefined;
  hcaObjects?: number | undefined;
};
