import { listCgroups, parseFlatKeyed } from './cgroup-files.ts';
import { blkioStatsV1, blkioStatsV2 } from './stats-blkio.ts';
import { CgroupReader } from './stats-reader.ts';
import type {
  BlkioStats,
  CgroupStats,
  CpuStats,
  HugetlbStats,
  MemoryAmount,
  MemoryStats,
  PidsStats,
  RdmaEntry,
} from './stats-types.ts';

/**
 * What the container of these cgroups uses now, with the names of `runc events --stats`: the union of what
 * cgroup v1 and v2 count.
 *
 * The files are read one after the other and the numbers move meanwhile; each is exact by itself.
 *
 * @param paths what a launch calls its `cgroupPaths`; a path that is gone counts nothing
 */
export async function cgroupStats(paths: readonly string[]): Promise<CgroupStats> {
  const reader = new CgroupReader(await listCgroups(paths));
  const [cpu, memory, pids, blkio, hugetlb, rdma] = await Promise.all([
    cpuStats(reader),
    memoryStats(reader),
    pidsStats(reader),
    blkioStats(reader),
    hugetlbStats(reader),
    rdmaStats(reader),
  ]);
  return { cpu, memory, pids, blkio, hugetlb, rdma };
}

const nanoseconds = (microseconds: bigint | undefined): bigint | undefined =>
  microseconds === undefined ? undefined : microseconds * 1000n;

async function cpuStats(reader: CgroupReader): Promise<CpuStats | undefined> {
  if (reader.has('cpuacct.usage') || reader.has('cpu.cfs_quota_us')) return cpuStatsV1(reader);
  const stat = await reader.keyed('cpu.stat');
  const total = stat.get('usage_usec');
  if (total === undefined) return undefined;
  return {
    usage: {
      total: total * 1000n,
      kernel: nanoseconds(stat.get('system_usec')) ?? 0n,
      user: nanoseconds(stat.get('user_usec')) ?? 0n,
      percpu: undefined,
      percpuKernel: undefined,
      percpuUser: undefined,
    },
    throttling: {
      periods: stat.get('nr_periods') ?? 0n,
      throttledPeriods: stat.get('nr_throttled') ?? 0n,
      throttledTime: nanoseconds(stat.get('throttled_usec')) ?? 0n,
      burstPeriods: stat.get('nr_bursts'),
      burstTime: nanoseconds(stat.get('burst_usec')),
    },
    psi: await reader.pressure('cpu.pressure'),
  };
}

async function cpuStatsV1(reader: CgroupReader): Promise<CpuStats> {
  const stat = await reader.keyed('cpu.stat', 'cpu.cfs_quota_us');
  const kernel = await reader.number('cpuacct.usage_sys');
  const user = await reader.number('cpuacct.usage_user');
  return {
    usage: {
      total: (await reader.number('cpuacct.usage')) ?? 0n,
      kernel: kernel ?? 0n,
      user: user ?? 0n,
      percpu: await reader.numbers('cpuacct.usage_percpu'),
      percpuKernel: await reader.numbers('cpuacct.usage_percpu_sys'),
      percpuUser: await reader.numbers('cpuacct.usage_percpu_user'),
    },
    throttling: {
      periods: stat.get('nr_periods') ?? 0n,
      throttledPeriods: stat.get('nr_throttled') ?? 0n,
      throttledTime: stat.get('throttled_time') ?? 0n,
      burstPeriods: stat.get('nr_bursts'),
      burstTime: stat.get('burst_time'),
    },
    psi: await reader.pressure('cpu.pressure'),
  };
}

async function memoryStats(reader: CgroupReader): Promise<MemoryStats | undefined> {
  if (reader.has('memory.usage_in_bytes')) return memoryStatsV1(reader);
  const usage = await reader.number('memory.current');
  if (usage === undefined) return undefined;
  const stat = await reader.keyed('memory.stat');
  const events = await reader.keyed('memory.events');
  const swap = await reader.number('memory.swap.current');
  const swapEvents = await reader.keyed('memory.swap.events');
  return {
    cache: stat.get('file') ?? 0n,
    usage: {
      usage,
      max: await reader.number('memory.peak'),
      failcnt: events.get('max'),
      limit: await reader.number('memory.max'),
    },
    swap:
      swap === undefined
        ? undefined
        : {
            usage: swap,
            max: await reader.number('memory.swap.peak'),
            failcnt: swapEvents.get('max'),
            limit: await reader.number('memory.swap.max'),
          },
    kernel: amountOf(stat.get('kernel')),
    kernelTCP: amountOf(stat.get('sock')),
    raw: Object.fromEntries(stat),
    events: Object.fromEntries(events),
    psi: await reader.pressure('memory.pressure'),
  };
}

const amountOf = (usage: bigint | undefined): MemoryAmount | undefined =>
  usage === undefined ? undefined : { usage, max: undefined, failcnt: undefined, limit: undefined };

async function memoryStatsV1(reader: CgroupReader): Promise<MemoryStats> {
  const stat = await reader.keyed('memory.stat');
  const oomKill = (await reader.keyed('memory.oom_control')).get('oom_kill');
  return {
    cache: stat.get('total_cache') ?? stat.get('cache') ?? 0n,
    usage: (await amountV1(reader, 'memory'))!,
    swap: await amountV1(reader, 'memory.memsw'),
    kernel: await amountV1(reader, 'memory.kmem'),
    kernelTCP: await amountV1(reader, 'memory.kmem.tcp'),
    raw: Object.fromEntries(stat),
    events: oomKill === undefined ? {} : { oom_kill: oomKill },
    psi: await reader.pressure('memory.pressure'),
  };
}

/** v1 has no word for "no limit": it shows the highest number of whole pages. */
const NO_LIMIT_V1 = 0x7fff_ffff_ffff_0000n;

async function amountV1(reader: CgroupReader, name: string): Promise<MemoryAmount | undefined> {
  const usage = await reader.number(`${name}.usage_in_bytes`);
  if (usage === undefined) return undefined;
  const limit = await reader.number(`${name}.limit_in_bytes`);
  return {
    usage,
    max: await reader.number(`${name}.max_usage_in_bytes`),
    failcnt: await reader.number(`${name}.failcnt`),
    limit: limit === undefined || limit >= NO_LIMIT_V1 ? undefined : limit,
  };
}

async function pidsStats(reader: CgroupReader): Promise<PidsStats | undefined> {
  const current = await reader.number('pids.current');
  if (current === undefined) return undefined;
  return {
    current,
    limit: await reader.number('pids.max'),
    peak: await reader.number('pids.peak'),
    limitHits: (await reader.keyed('pids.events')).get('max') ?? 0n,
  };
}

async function blkioStats(reader: CgroupReader): Promise<BlkioStats | undefined> {
  const stats = (await blkioStatsV1(reader)) ?? (await blkioStatsV2(reader));
  return stats === undefined ? undefined : { ...stats, psi: await reader.pressure('io.pressure') };
}

async function hugetlbStats(reader: CgroupReader): Promise<Record<string, HugetlbStats>> {
  const stats: Record<string, HugetlbStats> = {};
  for (const file of reader.files()) {
    const match = /^hugetlb\.([^.]+)\.(usage_in_bytes|current)$/.exec(file);
    const size = match?.[1];
    if (size === undefined) continue;
    const name = `hugetlb.${size}`;
    const isV1 = match?.[2] === 'usage_in_bytes';
    const events = parseFlatKeyed((await reader.text(`${name}.events`)) ?? '');
    stats[size] = {
      usage: (await reader.number(file)) ?? 0n,
      max: isV1 ? await reader.number(`${name}.max_usage_in_bytes`) : undefined,
      failcnt: (isV1 ? await reader.number(`${name}.failcnt`) : events.get('max')) ?? 0n,
    };
  }
  return stats;
}

async function rdmaStats(reader: CgroupReader): Promise<CgroupStats['rdma']> {
  const current = await reader.text('rdma.current');
  if (current === undefined) return undefined;
  return {
    current: rdmaEntries(current),
    limit: rdmaEntries((await reader.text('rdma.max')) ?? ''),
  };
}

function rdmaEntries(text: string): RdmaEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const value = (key: string): bigint | undefined => {
        const digits = new RegExp(` ${key}=(\\d+)`).exec(line)?.[1];
        return digits === undefined ? undefined : BigInt(digits);
      };
      return {
        device: line.split(' ')[0]!,
        hcaHandles: value('hca_handle'),
        hcaObjects: value('hca_object'),
      };
    });
}
