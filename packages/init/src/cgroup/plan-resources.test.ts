import { assert, bigInt, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciResources } from '../config/spec/resources.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import { cpuWeight, ioWeight } from './conversions.ts';
import { planResources, type ResourceHierarchy } from './plan-resources.ts';
import type { CurrentLimits } from './plan-v2.ts';

const v2: ResourceHierarchy = { version: 2, controllers: '' };
const v1 = (controllers: string): ResourceHierarchy => ({ version: 1, controllers });
const allV1 = [
  'cpu,cpuacct',
  'cpuset',
  'memory',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls,net_prio',
  'rdma',
].map(v1);
const allV2 = ['cpuset', 'cpu', 'io', 'memory', 'pids', 'hugetlb', 'rdma'];

/** `file text` of each write, in order, over all hierarchies. */
function writesOf(
  resources: OciResources,
  hierarchies: readonly ResourceHierarchy[],
  controllers: readonly string[] = allV2,
  current?: CurrentLimits,
): string[] {
  return planResources(resources, hierarchies, () => controllers, current).flatMap(({ writes }) =>
    writes.map(({ file, text }) => `${file} ${text}`),
  );
}

const device = { major: 8, minor: 16 };
const everything: OciResources = {
  memory: { limit: 2n ** 62n, swap: -1, reservation: 4096, checkBeforeUpdate: true },
  cpu: {
    shares: 1024,
    quota: 50_000,
    period: 100_000,
    burst: 7,
    cpus: '0-3,7',
    mems: '0',
    idle: 0,
  },
  pids: { limit: 9_007_199_254_740_993n },
  blockIO: {
    weight: 500,
    weightDevice: [{ ...device, weight: 1000 }],
    throttleReadBpsDevice: [{ ...device, rate: 18_446_744_073_709_551_615n }],
    throttleWriteBpsDevice: [{ ...device, rate: 1 }],
    throttleReadIOPSDevice: [{ ...device, rate: 0 }],
    throttleWriteIOPSDevice: [{ ...device, rate: 3 }],
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 9_223_372_036_854_771_712n }],
  rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 }, mlx4_0: { hcaObjects: 1 } },
};

describe('planResources', () => {
  it('planResources writes every field to cgroup v1, in an order that the kernel takes', () => {
    const resources: OciResources = {
      ...everything,
      memory: {
        ...everything.memory,
        kernelTCP: 5,
        swappiness: 0,
        disableOOMKiller: false,
        useHierarchy: true,
      },
      cpu: { ...everything.cpu, realtimePeriod: 1_000_000, realtimeRuntime: 900_000 },
      blockIO: { ...everything.blockIO, leafWeight: 10 },
      network: { classID: 0x10_0001, priorities: [{ name: 'eth0', priority: 5 }] },
    };
    expect(writesOf(resources, allV1)).toMatchInlineSnapshot(`
      [
        "cpu.rt_period_us 1000000",
        "cpu.rt_runtime_us 900000",
        "cpu.shares 1024",
        "cpu.cfs_period_us 100000",
        "cpu.cfs_quota_us 50000",
        "cpu.cfs_burst_us 7",
        "cpu.idle 0",
        "cpuset.cpus 0-3,7",
        "cpuset.mems 0",
        "memory.use_hierarchy 1",
        "memory.limit_in_bytes 4611686018427387904",
        "memory.memsw.limit_in_bytes -1",
        "memory.soft_limit_in_bytes 4096",
        "memory.kmem.tcp.limit_in_bytes 5",
        "memory.swappiness 0",
        "memory.oom_control 0",
        "blkio.weight 500",
        "blkio.leaf_weight 10",
        "blkio.weight_device 8:16 1000",
        "blkio.throttle.read_bps_device 8:16 18446744073709551615",
        "blkio.throttle.write_bps_device 8:16 1",
        "blkio.throttle.read_iops_device 8:16 0",
        "blkio.throttle.write_iops_device 8:16 3",
        "pids.max 9007199254740993",
        "hugetlb.2MB.limit_in_bytes 9223372036854771712",
        "hugetlb.2MB.rsvd.limit_in_bytes 9223372036854771712",
        "net_cls.classid 1048577",
        "net_prio.ifpriomap eth0 5",
        "rdma.max mlx5_1 hca_handle=3 hca_object=10000",
        "rdma.max mlx4_0 hca_object=1",
      ]
    `);
  });

  it('planResources writes every field to cgroup v2', () => {
    expect(
      writesOf(
        { ...everything, unified: { 'memory.high': '1', 'io.max': '8:0 rbps=1\n8:1 rbps=2' } },
        [v2],
      ),
    ).toMatchInlineSnapshot(`
      [
        "cpuset.cpus 0-3,7",
        "cpuset.mems 0",
        "cpu.weight 100",
        "cpu.max 50000 100000",
        "cpu.max.burst 7",
        "cpu.idle 0",
        "memory.max 4611686018427387904",
        "memory.swap.max max",
        "memory.low 4096",
        "pids.max 9007199254740993",
        "io.bfq.weight 500",
        "io.bfq.weight 8:16 1000",
        "io.max 8:16 rbps=18446744073709551615",
        "io.max 8:16 wbps=1",
        "io.max 8:16 riops=max",
        "io.max 8:16 wiops=3",
        "hugetlb.2MB.max 9223372036854771712",
        "hugetlb.2MB.rsvd.max 9223372036854771712",
        "rdma.max mlx5_1 hca_handle=3 hca_object=10000",
        "rdma.max mlx4_0 hca_object=1",
        "memory.high 1",
        "io.max 8:0 rbps=1",
        "io.max 8:1 rbps=2",
      ]
    `);
  });

  it('planResources enables on v2 what is needed and nothing else', () => {
    const enabled = (resources: OciResources): string[] | undefined =>
      planResources(resources, [v2], () => allV2)[0]?.enable;
    expect(enabled({ pids: { limit: 1 }, unified: { 'memory.high': 'max' } })).toEqual([
      'pids',
      'memory',
    ]);
    expect(enabled({ cpu: { cpus: '0' } })).toEqual(['cpuset']);
    expect(enabled({ memory: { limit: 0 }, cpu: {} })).toEqual([]);
  });

  it('planResources gives each field of a hybrid host to the hierarchy that has its controller', () => {
    const plans = planResources(
      { memory: { limit: 5 }, pids: { limit: 6 }, unified: { 'hugetlb.2MB.max': '7' } },
      [v1('memory'), v1('name=systemd'), v2],
      () => ['pids', 'hugetlb'],
    );
    expect(plans.map(({ writes, enable }) => [writes.map(({ file }) => file), enable])).toEqual([
      [['memory.limit_in_bytes'], []],
      [[], []],
      [
        ['pids.max', 'hugetlb.2MB.max'],
        ['pids', 'hugetlb'],
      ],
    ]);
  });

  it.each<[field: string, resources: OciResources]>([
    ['memory.kernel', { memory: { kernel: 1 } }],
    ['memory.kernelTCP', { memory: { kernelTCP: 1 } }],
    ['memory.swappiness', { memory: { swappiness: 60 } }],
    ['memory.disableOOMKiller', { memory: { disableOOMKiller: true } }],
    ['memory.useHierarchy', { memory: { useHierarchy: false } }],
    ['cpu.realtimePeriod', { cpu: { realtimePeriod: 1 } }],
    ['cpu.realtimeRuntime', { cpu: { realtimeRuntime: 1 } }],
    ['blockIO.leafWeight', { blockIO: { leafWeight: 10 } }],
    [
      'blockIO.weightDevice[0].leafWeight',
      { blockIO: { weightDevice: [{ ...device, leafWeight: 10 }] } },
    ],
    ['network.classID', { network: { classID: 1 } }],
    ['network.priorities[0]', { network: { priorities: [{ name: 'lo', priority: 1 }] } }],
  ])('planResources refuses on v2 what v2 does not have: %s', (field, resources) => {
    expect(() => writesOf(resources, [v2])).toThrow(UnsupportedConfigError);
    expect(() => writesOf(resources, [v2])).toThrow(`linux.resources.${field} is not supported: `);
  });

  it.each<[field: string, controller: string, resources: OciResources]>([
    ['memory.limit', 'memory', { memory: { limit: 1 } }],
    ['cpu.shares', 'cpu', { cpu: { shares: 2 } }],
    ['cpu.mems', 'cpuset', { cpu: { mems: '0' } }],
    ['pids.limit', 'pids', { pids: { limit: 1 } }],
    ['blockIO.weight', 'io', { blockIO: { weight: 10 } }],
    ['hugepageLimits[0]', 'hugetlb', { hugepageLimits: [{ pageSize: '2MB', limit: 1 }] }],
    ['rdma.mlx5_1', 'rdma', { rdma: { mlx5_1: { hcaHandles: 1 } } }],
    ['unified["misc.max"]', 'misc', { unified: { 'misc.max': 'max' } }],
  ])('planResources names the controller that is missing: %s', (field, controller, resources) => {
    for (const hierarchies of [[v2], [v1('name=systemd'), v2]]) {
      expect(() => writesOf(resources, hierarchies, [])).toThrow(
        `linux.resources.${field} is not supported: it needs the ${controller} controller`,
      );
    }
  });

  it('planResources refuses unified where v2 is not mounted', () => {
    expect(() => writesOf({ unified: { 'memory.high': '1' } }, allV1)).toThrow(/v2 is not mounted/);
  });

  it('planResources turns memory with swap into swap alone on v2', () => {
    const swap = (memory: OciResources['memory'], current?: CurrentLimits): string[] =>
      writesOf({ memory }, [v2], allV2, current).filter((write) => write.startsWith('memory.swap'));
    expect(swap({ limit: 10, swap: 30 })).toEqual(['memory.swap.max 20']);
    expect(swap({ limit: 10, swap: 10 })).toEqual(['memory.swap.max 0']);
    expect(swap({ limit: 10, swap: -1 })).toEqual(['memory.swap.max max']);
    expect(swap({ limit: -1 })).toEqual(['memory.swap.max max']);
    expect(swap({ limit: 10 })).toEqual([]);
    expect(swap({ swap: 30 }, { memoryMax: '12' })).toEqual(['memory.swap.max 18']);
  });

  it.each<OciResources>([{ memory: { limit: 10, swap: 9 } }, { memory: { limit: -1, swap: 9 } }])(
    'planResources refuses less memory with swap than without: %j',
    (resources) => {
      for (const hierarchies of [[v2], allV1]) {
        expect(() => writesOf(resources, hierarchies)).toThrow(InvalidConfigError);
      }
    },
  );

  it('planResources cannot tell on v2 how much is swap when memory has no limit', () => {
    expect(() => writesOf({ memory: { swap: 30 } }, [v2])).toThrow(/without a memory limit/);
  });

  it('planResources leaves alone what an update does not speak of', () => {
    const cpuMax = (cpu: OciResources['cpu'], current: string): string[] =>
      writesOf({ cpu }, [v2], allV2, { cpuMax: current });
    expect(cpuMax({ period: 50_000 }, '20000 100000')).toEqual(['cpu.max 20000 50000']);
    expect(cpuMax({ quota: 10_000 }, 'max 250000')).toEqual(['cpu.max 10000 250000']);
    expect(cpuMax({ quota: -1 }, '20000 100000')).toEqual(['cpu.max max 100000']);
  });

  it('planResources keeps 64-bit numbers exact, and says no negative number but -1', () => {
    const bytes = bigInt({ min: -1n, max: 2n ** 63n - 1n }).filter((value) => value !== 0n);
    assert(
      property(bytes, (limit) => {
        expect(writesOf({ memory: { limit } }, allV1)[0]).toBe(`memory.limit_in_bytes ${limit}`);
        expect(writesOf({ memory: { limit } }, [v2])[0]).toBe(
          `memory.max ${limit < 0n ? 'max' : limit}`,
        );
      }),
    );
  });
});

describe('cpuWeight', () => {
  it('cpuWeight meets both ends and the default', () => {
    expect([0, 2, 1024, 262_144, 2n ** 64n - 1n].map(cpuWeight)).toEqual([
      1, 1, 100, 10_000, 10_000,
    ]);
  });

  it('cpuWeight never falls and never leaves its range', () => {
    assert(
      property(integer({ min: 2, max: 262_144 }), (shares) => {
        const weight = cpuWeight(shares);
        expect(Number.isInteger(weight) && weight >= 1 && weight <= 10_000).toBe(true);
        expect(cpuWeight(shares + 1)).toBeGreaterThanOrEqual(weight);
      }),
    );
  });
});

describe('ioWeight', () => {
  it('ioWeight maps the ends to the ends', () => {
    expect([10, 500, 1000].map(ioWeight)).toEqual([1, 4950, 10_000]);
  });
});

describe('the schema of linux.resources', () => {
  const check = (resources: unknown): unknown => {
    const spec = stockSpec();
    spec.linux!.resources = resources as OciResources;
    return validateSpec(spec).linux!.resources;
  };

  it('the schema of linux.resources keeps everything that is known, and what is not for a refusal', () => {
    expect(check({ ...everything, future: 1 })).toEqual({ ...everything, future: 1 });
    expect(check({ memory: null, cpu: null, pids: {}, unified: null })).toEqual({
      memory: null,
      cpu: null,
      pids: {},
      unified: null,
    });
    expect(check({ memory: { swappiness: 2n ** 64n - 1n } })).toBeTruthy();
  });

  it.each<[field: string, resources: unknown]>([
    ['memory.limit', { memory: { limit: -2 } }],
    ['memory.limit', { memory: { limit: 2n ** 63n } }],
    ['memory.limit', { memory: { limit: '64M' } }],
    ['memory.swappiness', { memory: { swappiness: 101 } }],
    ['cpu.shares', { cpu: { shares: -1 } }],
    ['cpu.quota', { cpu: { quota: 1.5 } }],
    ['cpu.cpus', { cpu: { cpus: '0-3\n' } }],
    ['cpu.cpus', { cpu: { cpus: '0\0' } }],
    ['cpu.mems', { cpu: { mems: 'all' } }],
    ['cpu.idle', { cpu: { idle: 2 } }],
    ['pids.limit', { pids: { limit: 2n ** 63n } }],
    ['blockIO.weight', { blockIO: { weight: 9 } }],
    ['blockIO.weight', { blockIO: { weight: 1001 } }],
    ['blockIO.weightDevice[0]', { blockIO: { weightDevice: [device] } }],
    ['blockIO.throttleReadBpsDevice[0].rate', { blockIO: { throttleReadBpsDevice: [device] } }],
    [
      'blockIO.throttleReadBpsDevice[0].major',
      { blockIO: { throttleReadBpsDevice: [{ major: -1, minor: 0, rate: 1 }] } },
    ],
    ['hugepageLimits[0].pageSize', { hugepageLimits: [{ pageSize: '../2MB', limit: 1 }] }],
    ['hugepageLimits[0].limit', { hugepageLimits: [{ pageSize: '2MB', limit: -1 }] }],
    ['network.classID', { network: { classID: 2 ** 32 } }],
    ['network.priorities[0].name', { network: { priorities: [{ name: 'a b', priority: 1 }] } }],
    ['rdma.mlx5_1', { rdma: { mlx5_1: {} } }],
    ['unified.cgroup.procs', { unified: { 'cgroup.procs': '1' } }],
    ['unified.cgroup.freeze', { unified: { 'cgroup.freeze': '1' } }],
    ['unified.../memory.max', { unified: { '../memory.max': '1' } }],
    ['unified.memory.max', { unified: { 'memory.max': '1\0' } }],
    ['devices[0].access', { devices: [{ allow: true, access: 'rx' }] }],
  ])('the schema of linux.resources refuses %s, case %#', (field, resources) => {
    expect(() => check(resources)).toThrow(InvalidConfigError);
    expect(() => check(resources)).toThrow(`linux.resources.${field}`);
  });
});
