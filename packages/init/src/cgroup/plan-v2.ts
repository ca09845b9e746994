import type { OciBlockIO, OciCpu, OciHugepageLimit, OciMemory } from '../config/spec/resources.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import { type CgroupWrite, isGiven, limitText } from './cgroup-write.ts';
import { cpuWeight, ioWeight } from './conversions.ts';
import { planHugepages, planIdle, requireSwapAboveLimit } from './plan-v1.ts';

// What each field of `linux.resources` becomes on cgroup v2. Sources:
// Documentation/admin-guide/cgroup-v2.rst, and runc's package fs2.
//
// | field of linux.resources        | control file                                              |
// | ------------------------------- | --------------------------------------------------------- |
// | memory.limit                    | memory.max                                                |
// | memory.swap                     | memory.swap.max, which is swap less limit                 |
// | memory.reservation              | memory.low                                                |
// | memory.checkBeforeUpdate        | none: memory.current is looked at before an update        |
// | memory.kernel, kernelTCP        | refused: memory.max counts the kernel's memory as well    |
// | memory.swappiness               | refused: v2 has it for the whole system alone             |
// | memory.disableOOMKiller: true   | refused: v2 has no such thing                             |
// | memory.useHierarchy: false      | refused: v2 always counts the tree; true is always so     |
// | cpu.shares, idle                | cpu.weight by cpuWeight, cpu.idle                         |
// | cpu.quota, period               | cpu.max                                                   |
// | cpu.burst                       | cpu.max.burst                                             |
// | cpu.realtimePeriod, …Runtime    | refused: v2 does not divide realtime                      |
// | cpu.cpus, mems                  | cpuset.cpus, cpuset.mems                                  |
// | pids.limit                      | pids.max                                                  |
// | blockIO.weight, weightDevice    | io.bfq.weight, or io.weight by ioWeight                   |
// | blockIO.leafWeight              | refused: v2 has no weight of a cgroup against its children |
// | blockIO.throttle…Device         | io.max                                                    |
// | hugepageLimits                  | hugetlb.SIZE.max, hugetlb.SIZE.rsvd.max                   |
// | network                         | refused: net_cls and net_prio are v1 controllers          |
// | rdma                            | rdma.max                                                  |
// | unified                         | the file of that name, last                               |

const base = 'linux.resources';
const DEFAULT_PERIOD = 100_000;

/** What a cgroup has now, for an update that does not say everything. */
export type CurrentLimits = {
  /** `memory.max` */
  memoryMax?: string | undefined;
  /** `cpu.max` */
  cpuMax?: string | undefined;
};

export function planMemoryV2(memory: OciMemory, current: CurrentLimits = {}): CgroupWrite[] {
  const { limit, swap, reservation } = memory;
  for (const name of ['kernel', 'kernelTCP'] as const) {
    const value = memory[name];
    if (isGiven(value) && value > 0) {
      refuse(
        `memory.${name}`,
        "cgroup v2 has no limit for it; memory.limit counts the kernel's memory as well",
      );
    }
  }
  if (memory.swappiness !== undefined && memory.swappiness <= 100) {
    refuse('memory.swappiness', 'cgroup v2 has one swappiness for the whole system');
  }
  if (memory.disableOOMKiller === true) {
    refuse('memory.disableOOMKiller', 'the OOM killer of cgroup v2 cannot be disabled');
  }
  if (memory.useHierarchy === false) {
    refuse('memory.useHierarchy', 'cgroup v2 always counts the cgroups below as well');
  }
  requireSwapAboveLimit(memory);
  const writes: CgroupWrite[] = [];
  if (isGiven(limit)) {
    writes.push({ file: 'memory.max', text: limitText(limit), field: `${base}.memory.limit` });
  }
  const swapText = swapMax(memory, current);
  if (swapText !== undefined) {
    writes.push({
      file: 'memory.swap.max',
      text: swapText,
      field: isGiven(swap) ? `${base}.memory.swap` : `${base}.memory.limit`,
      // A kernel without swap has no swap to limit: with none allowed, and with any, it is as asked for.
      ...(swapText === '0' || swapText === 'max' ? { optional: true } : {}),
    });
  }
  if (isGiven(reservation)) {
    writes.push({
      file: 'memory.low',
      text: limitText(reservation),
      field: `${base}.memory.reservation`,
    });
  }
  return writes;
}

/** v1 limits memory and swap together, v2 swap alone. */
function swapMax({ limit, swap }: OciMemory, { memoryMax }: CurrentLimits): string | undefined {
  // No limit of memory and swap together is left when memory alone has none.
  if (!isGiven(swap)) return isGiven(limit) && limit < 0 ? 'max' : undefined;
  if (swap < 0) return 'max';
  const memory = isGiven(limit) ? BigInt(limit) : decimals(memoryMax);
  const field = `${base}.memory.swap`;
  if (memory === undefined) {
    throw new InvalidConfigError(
      field,
      `${field}: without a memory limit it cannot be told how much of it is swap`,
      { hint: `Set ${base}.memory.limit as well, or use ${base}.unified with "memory.swap.max".` },
    );
  }
  if (BigInt(swap) < memory) requireSwapAboveLimit({ limit: memory, swap });
  return String(BigInt(swap) - memory);
}

const decimals = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;

export function planCpuV2(cpu: OciCpu, current: CurrentLimits = {}): CgroupWrite[] {
  for (const name of ['realtimePeriod', 'realtimeRuntime'] as const) {
    if (isGiven(cpu[name])) refuse(`cpu.${name}`, 'cgroup v2 does not divide realtime');
  }
  const writes: CgroupWrite[] = [];
  if (isGiven(cpu.shares)) {
    writes.push({
      file: 'cpu.weight',
      text: String(cpuWeight(cpu.shares)),
      field: `${base}.cpu.shares`,
    });
  }
  if (isGiven(cpu.quota) || isGiven(cpu.period)) {
    const [quotaNow, periodNow] = current.cpuMax?.split(' ') ?? [];
    const quota = isGiven(cpu.quota) ? limitText(cpu.quota) : (quotaNow ?? 'max');
    const period = isGiven(cpu.period) ? cpu.period : (periodNow ?? DEFAULT_PERIOD);
    writes.push({
      file: 'cpu.max',
      text: `${quota} ${period}`,
      field: isGiven(cpu.quota) ? `${base}.cpu.quota` : `${base}.cpu.period`,
    });
  }
  // At most the quota.
  if (cpu.burst !== undefined) {
    writes.push({
      file: 'cpu.max.burst',
      text: String(cpu.burst),
      field: `${base}.cpu.burst`,
      ...(isGiven(cpu.burst) ? {} : { optional: true }),
    });
  }
  writes.push(...planIdle(cpu));
  return writes;
}

export function planBlockIOV2(blockIO: OciBlockIO): CgroupWrite[] {
  if (isGiven(blockIO.leafWeight)) refuse('blockIO.leafWeight', noLeafWeight);
  const writes: CgroupWrite[] = [];
  if (isGiven(blockIO.weight)) {
    writes.push(...planWeight('', blockIO.weight, `${base}.blockIO.weight`));
  }
  for (const [index, device] of (blockIO.weightDevice ?? []).entries()) {
    const name = `blockIO.weightDevice[${index}]`;
    if (isGiven(device.leafWeight)) refuse(`${name}.leafWeight`, noLeafWeight);
    if (isGiven(device.weight)) {
      writes.push(
        ...planWeight(`${device.major}:${device.minor} `, device.weight, `${base}.${name}.weight`),
      );
    }
  }
  for (const [name, key] of throttles) {
    for (const [index, { major, minor, rate }] of (blockIO[name] ?? []).entries()) {
      writes.push({
        file: 'io.max',
        // What v1 calls 0.
        text: `${major}:${minor} ${key}=${isGiven(rate) ? rate : 'max'}`,
        field: `${base}.blockIO.${name}[${index}]`,
      });
    }
  }
  return writes;
}

const noLeafWeight =
  'cgroup v2 has no weight for the processes of a cgroup against the cgroups below';

/** Which of the two files there is depends on the kernel, and each has its own scale. */
function planWeight(device: string, weight: number, field: string): CgroupWrite[] {
  return [
    {
      file: 'io.bfq.weight',
      text: `${device}${weight}`,
      field,
      otherwise: { file: 'io.weight', text: `${device}${ioWeight(weight)}` },
    },
  ];
}

const throttles = [
  ['throttleReadBpsDevice', 'rbps'],
  ['throttleWriteBpsDevice', 'wbps'],
  ['throttleReadIOPSDevice', 'riops'],
  ['throttleWriteIOPSDevice', 'wiops'],
] as const;

export const planHugepagesV2 = (limits: readonly OciHugepageLimit[]): CgroupWrite[] =>
  planHugepages(limits, 'max');

/** Each line is a write of its own: files that are keyed by device take one device at a time. */
export function planUnified(unified: Readonly<Record<string, string>>): CgroupWrite[] {
  return Object.entries(unified).flatMap(([file, value]) =>
    value
      .split('\n')
      .filter((line) => line !== '')
      .map((text) => ({ file, text, field: unifiedField(file) })),
  );
}

export const unifiedField = (file: string): string => `${base}.unified[${JSON.stringify(file)}]`;

function refuse(name: string, reason: string): never {
  throw new UnsupportedConfigError(`${base}.${name}`, reason);
}
