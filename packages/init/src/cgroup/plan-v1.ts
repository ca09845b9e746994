import type {
  OciBlockIO,
  OciCpu,
  OciHugepageLimit,
  OciMemory,
  OciNetworkResources,
  OciPids,
  OciRdma,
} from '../config/spec/resources.ts';
import { InvalidConfigError } from '../errors.ts';
import { type CgroupWrite, isGiven, limitText } from './cgroup-write.ts';

// What each field of `linux.resources` becomes in the hierarchy of its v1 controller, in the order
// in which the kernel takes it. Sources: Documentation/admin-guide/cgroup-v1, and runc's package fs.
//
// | field of linux.resources        | control file                                              |
// | ------------------------------- | --------------------------------------------------------- |
// | memory.limit                    | memory.limit_in_bytes                                     |
// | memory.swap                     | memory.memsw.limit_in_bytes                               |
// | memory.reservation              | memory.soft_limit_in_bytes                                |
// | memory.kernel, kernelTCP        | memory.kmem.limit_in_bytes, memory.kmem.tcp.limit_in_bytes |
// | memory.swappiness               | memory.swappiness                                         |
// | memory.disableOOMKiller         | memory.oom_control                                        |
// | memory.useHierarchy             | memory.use_hierarchy                                      |
// | memory.checkBeforeUpdate        | none: the v1 kernel always refuses a limit below the usage |
// | cpu.shares, idle                | cpu.shares, cpu.idle                                      |
// | cpu.period, quota, burst        | cpu.cfs_period_us, cpu.cfs_quota_us, cpu.cfs_burst_us     |
// | cpu.realtimePeriod, …Runtime    | cpu.rt_period_us, cpu.rt_runtime_us                       |
// | cpu.cpus, mems                  | cpuset.cpus, cpuset.mems                                  |
// | pids.limit                      | pids.max                                                  |
// | blockIO.weight, weightDevice    | blkio.weight, blkio.weight_device, or blkio.bfq.…         |
// | blockIO.leafWeight              | blkio.leaf_weight, blkio.leaf_weight_device (before Linux 5.0) |
// | blockIO.throttle…Device         | blkio.throttle.{read,write}_{bps,iops}_device             |
// | hugepageLimits                  | hugetlb.SIZE.limit_in_bytes, hugetlb.SIZE.rsvd.limit_in_bytes |
// | network.classID, priorities     | net_cls.classid, net_prio.ifpriomap                       |
// | rdma                            | rdma.max                                                  |

const base = 'linux.resources';
/** What the kernel shows where there is no limit: the highest number of pages, in bytes of 4 KiB pages. */
const NO_LIMIT = '9223372036854771712';

export function planMemoryV1(memory: OciMemory): CgroupWrite[] {
  const { limit, swap, kernel, kernelTCP } = memory;
  requireSwapAboveLimit(memory);
  const writes: CgroupWrite[] = [];
  const bytes = (file: string, name: keyof OciMemory, more: Partial<CgroupWrite> = {}): void => {
    const value = memory[name] as number | bigint | undefined;
    if (isGiven(value)) {
      writes.push({ file, text: String(value), field: `${base}.memory.${name}`, ...more });
    }
  };
  const flag = (file: string, name: 'useHierarchy' | 'disableOOMKiller'): void => {
    const value = memory[name];
    if (value !== undefined) {
      writes.push({ file, text: value ? '1' : '0', field: `${base}.memory.${name}` });
    }
  };
  // Can only be changed while nothing is accounted.
  flag('memory.use_hierarchy', 'useHierarchy');
  // Memory alone may never be more than memory and swap: one that is lowered comes first, one
  // that is raised waits for the other, see applyWrites.
  bytes('memory.limit_in_bytes', 'limit');
  bytes('memory.memsw.limit_in_bytes', 'swap');
  if (limit !== undefined && limit < 0 && !isGiven(swap)) {
    writes.push({
      file: 'memory.memsw.limit_in_bytes',
      text: '-1',
      field: `${base}.memory.limit`,
      optional: true,
    });
  }
  bytes('memory.soft_limit_in_bytes', 'reservation');
  if (isGiven(kernel) && kernel > 0) {
    bytes('memory.kmem.limit_in_bytes', 'kernel', { mustNotRead: NO_LIMIT });
  }
  if (isGiven(kernelTCP) && kernelTCP > 0) {
    bytes('memory.kmem.tcp.limit_in_bytes', 'kernelTCP', { mustNotRead: NO_LIMIT });
  }
  if (memory.swappiness !== undefined && memory.swappiness <= 100) {
    writes.push({
      file: 'memory.swappiness',
      text: String(memory.swappiness),
      field: `${base}.memory.swappiness`,
    });
  }
  flag('memory.oom_control', 'disableOOMKiller');
  return writes;
}

/** @throws InvalidConfigError when memory with swap is to be less than memory alone */
export function requireSwapAboveLimit({ limit, swap }: OciMemory): void {
  if (!isGiven(swap) || swap < 0 || !isGiven(limit)) return;
  if (limit > 0 && swap >= limit) return;
  const field = `${base}.memory.swap`;
  throw new InvalidConfigError(
    field,
    `${field}: ${swap} is less than ${base}.memory.limit, which is ${limit < 0 ? 'no limit' : limit}`,
    {
      hint: 'The swap limit counts memory and swap together: set it to the memory limit for no swap at all, or to -1.',
    },
  );
}

export function planCpuV1(cpu: OciCpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = (file: string, name: keyof OciCpu): void => {
    if (isGiven(cpu[name] as number | undefined)) {
      writes.push({ file, text: String(cpu[name]), field: `${base}.cpu.${name}` });
    }
  };
  add('cpu.rt_period_us', 'realtimePeriod');
  add('cpu.rt_runtime_us', 'realtimeRuntime');
  // A group that is idle refuses shares; see applyWrites for one that ceases to be.
  add('cpu.shares', 'shares');
  add('cpu.cfs_period_us', 'period');
  add('cpu.cfs_quota_us', 'quota');
  // At most the quota.
  if (cpu.burst !== undefined) {
    writes.push({
      file: 'cpu.cfs_burst_us',
      text: String(cpu.burst),
      field: `${base}.cpu.burst`,
      ...(isGiven(cpu.burst) ? {} : { optional: true }),
    });
  }
  writes.push(...planIdle(cpu));
  return writes;
}

/** The same in both versions, Linux 5.15. */
export function planIdle({ idle }: OciCpu): CgroupWrite[] {
  if (idle === undefined) return [];
  const write: CgroupWrite = { file: 'cpu.idle', text: String(idle), field: `${base}.cpu.idle` };
  return [isGiven(idle) ? write : { ...write, optional: true }];
}

/** The same in both versions. */
export function planCpuset({ cpus, mems }: OciCpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpus !== undefined && cpus !== '') {
    writes.push({ file: 'cpuset.cpus', text: cpus, field: `${base}.cpu.cpus` });
  }
  if (mems !== undefined && mems !== '') {
    writes.push({ file: 'cpuset.mems', text: mems, field: `${base}.cpu.mems` });
  }
  return writes;
}

/**
 * The same in both versions. 0 is a limit, as the process itself and no fork: 1 says that as well, and lets the process start in
 * the cgroup.
 */
export function planPids({ limit }: OciPids): CgroupWrite[] {
  if (limit === undefined) return [];
  const text = isGiven(limit) ? limitText(limit) : '1';
  return [{ file: 'pids.max', text, field: `${base}.pids.limit` }];
}

export function planBlockIOV1(blockIO: OciBlockIO): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const field = (name: string): string => `${base}.blockIO.${name}`;
  if (isGiven(blockIO.weight)) {
    writes.push({
      file: 'blkio.weight',
      otherwise: { file: 'blkio.bfq.weight', text: String(blockIO.weight) },
      text: String(blockIO.weight),
      field: field('weight'),
    });
  }
  if (isGiven(blockIO.leafWeight)) {
    writes.push({
      file: 'blkio.leaf_weight',
      text: String(blockIO.leafWeight),
      field: field('leafWeight'),
    });
  }
  for (const [index, device] of (blockIO.weightDevice ?? []).entries()) {
    const number = `${device.major}:${device.minor}`;
    if (isGiven(device.weight)) {
      const text = `${number} ${device.weight}`;
      writes.push({
        file: 'blkio.weight_device',
        otherwise: { file: 'blkio.bfq.weight_device', text },
        text,
        field: field(`weightDevice[${index}].weight`),
      });
    }
    if (isGiven(device.leafWeight)) {
      writes.push({
        file: 'blkio.leaf_weight_device',
        text: `${number} ${device.leafWeight}`,
        field: field(`weightDevice[${index}].leafWeight`),
      });
    }
  }
  for (const [name, kind] of throttles) {
    for (const [index, { major, minor, rate }] of (blockIO[name] ?? []).entries()) {
      writes.push({
        file: `blkio.throttle.${kind}_device`,
        text: `${major}:${minor} ${rate}`,
        field: field(`${name}[${index}]`),
      });
    }
  }
  return writes;
}

const throttles = [
  ['throttleReadBpsDevice', 'read_bps'],
  ['throttleWriteBpsDevice', 'write_bps'],
  ['throttleReadIOPSDevice', 'read_iops'],
  ['throttleWriteIOPSDevice', 'write_iops'],
] as const;

export const planHugepagesV1 = (limits: readonly OciHugepageLimit[]): CgroupWrite[] =>
  planHugepages(limits, 'limit_in_bytes');

/** Both the pages in use and, where the kernel counts them (Linux 5.7), those that are reserved. */
export function planHugepages(limits: readonly OciHugepageLimit[], name: string): CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit }, index): CgroupWrite[] => {
    const common = { text: String(limit), field: `${base}.hugepageLimits[${index}]` };
    return [
      { file: `hugetlb.${pageSize}.${name}`, ...common },
      { file: `hugetlb.${pageSize}.rsvd.${name}`, ...common, optional: true },
    ];
  });
}

export const planNetCls = ({ classID }: OciNetworkResources): CgroupWrite[] =>
  isGiven(classID)
    ? [{ file: 'net_cls.classid', text: String(classID), field: `${base}.network.classID` }]
    : [];

export const planNetPrio = ({ priorities }: OciNetworkResources): CgroupWrite[] =>
  (priorities ?? []).map(({ name, priority }, index) => ({
    file: 'net_prio.ifpriomap',
    text: `${name} ${priority}`,
    field: `${base}.network.priorities[${index}]`,
  }));

/** The same in both versions. */
export function planRdma(devices: Readonly<Record<string, OciRdma>>): CgroupWrite[] {
  return Object.entries(devices).map(([device, { hcaHandles, hcaObjects }]) => ({
    file: 'rdma.max',
    text: [
      device,
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ].join(' '),
    field: `${base}.rdma.${device}`,
  }));
}
