import { honoured, rows, type Honoured, type SpecField } from './spec-field.ts';

const deviceRules = honoured(
  'src/cgroup/device-rules.ts',
  'packages/init/src/cgroup/device-rules.test.ts',
  'the v1 device controller, or BPF on v2',
);
const planned = 'packages/init/src/cgroup/plan-resources.test.ts';
const limits = (test: string, needs: string): Honoured =>
  honoured('src/cgroup/plan-resources.ts', test, needs);
const v1Test = 'e2e/src/init-cgroup.test.ts';
const memory = limits(v1Test, 'the memory controller');
const swap = limits(v1Test, 'the memory controller, which counts swap');
const onlyV1Memory = limits(v1Test, 'the v1 memory controller');
const useHierarchy = limits(
  planned,
  'the memory controller; for false a v1 one before Linux 5.11, or the launch fails',
);
const checkBeforeUpdate = limits(planned, 'the memory controller');
const kernelMemory = limits(
  v1Test,
  'the v1 memory controller; for kernel one before Linux 5.16, or the launch fails',
);
const cpu = limits(v1Test, 'the cpu controller');
const cpuset = limits(v1Test, 'the cpuset controller');
const burst = limits(v1Test, 'the cpu controller, Linux 5.14');
const idle = limits(v1Test, 'the cpu controller, Linux 5.15');
const realtime = limits(planned, 'the v1 cpu controller and CONFIG_RT_GROUP_SCHED');
const pids = limits(v1Test, 'the pids controller');
const weight = limits(planned, 'the blkio or io controller with BFQ or, on v2, iocost');
const throttle = limits(planned, 'the blkio or io controller');
const leafWeight = limits(
  planned,
  'CFQ, which Linux 5.0 removed: on a kernel without it the launch fails',
);
const hugepages = limits(v1Test, 'the hugetlb controller');
const network = limits(v1Test, 'the v1 controllers net_cls and net_prio');
const rdma = limits(planned, 'the rdma controller');
const unified = limits(
  'e2e/src/init-cgroup-v2.test.ts',
  'cgroup v2 with the controller of the file',
);

const throttled = (kind: string): string[] =>
  ['major', 'minor', 'rate'].map((name) => `linux.resources.blockIO.${kind}[].${name}`);

/** `linux.resources`: the limits of the container's cgroup. */
export const resourceFields = (): SpecField[] => [
  ...rows(deviceRules, {
    '1.0.0': [
      'linux.resources.devices[].allow',
      'linux.resources.devices[].type',
      'linux.resources.devices[].major',
      'linux.resources.devices[].minor',
      'linux.resources.devices[].access',
    ],
  }),
  ...rows(memory, {
    '1.0.0': ['linux.resources.memory.limit', 'linux.resources.memory.reservation'],
  }),
  ...rows(swap, { '1.0.0': ['linux.resources.memory.swap'] }),
  ...rows(onlyV1Memory, {
    '1.0.0': ['linux.resources.memory.swappiness', 'linux.resources.memory.disableOOMKiller'],
  }),
  ...rows(useHierarchy, { '1.0.2': ['linux.resources.memory.useHierarchy'] }),
  ...rows(checkBeforeUpdate, { '1.1.0': ['linux.resources.memory.checkBeforeUpdate'] }),
  ...rows(kernelMemory, {
    '1.0.0': ['linux.resources.memory.kernel', 'linux.resources.memory.kernelTCP'],
  }),
  ...rows(cpu, {
    '1.0.0': [
      'linux.resources.cpu.shares',
      'linux.resources.cpu.quota',
      'linux.resources.cpu.period',
    ],
  }),
  ...rows(cpuset, { '1.0.0': ['linux.resources.cpu.cpus', 'linux.resources.cpu.mems'] }),
  ...rows(burst, { '1.1.0': ['linux.resources.cpu.burst'] }),
  ...rows(idle, { '1.1.0': ['linux.resources.cpu.idle'] }),
  ...rows(realtime, {
    '1.0.0': ['linux.resources.cpu.realtimeRuntime', 'linux.resources.cpu.realtimePeriod'],
  }),
  ...rows(pids, { '1.0.0': ['linux.resources.pids.limit'] }),
  ...rows(weight, {
    '1.0.0': [
      'linux.resources.blockIO.weight',
      'linux.resources.blockIO.weightDevice[].major',
      'linux.resources.blockIO.weightDevice[].minor',
      'linux.resources.blockIO.weightDevice[].weight',
    ],
  }),
  ...rows(throttle, {
    '1.0.0': [
      ...throttled('throttleReadBpsDevice'),
      ...throttled('throttleWriteBpsDevice'),
      ...throttled('throttleReadIOPSDevice'),
      ...throttled('throttleWriteIOPSDevice'),
    ],
  }),
  ...rows(leafWeight, {
    '1.0.0': [
      'linux.resources.blockIO.leafWeight',
      'linux.resources.blockIO.weightDevice[].leafWeight',
    ],
  }),
  ...rows(hugepages, {
    '1.0.0': [
      'linux.resources.hugepageLimits[].pageSize',
      'linux.resources.hugepageLimits[].limit',
    ],
  }),
  ...rows(network, {
    '1.0.0': [
      'linux.resources.network.classID',
      'linux.resources.network.priorities[].name',
      'linux.resources.network.priorities[].priority',
    ],
  }),
  ...rows(rdma, {
    '1.0.2': ['linux.resources.rdma.*.hcaHandles', 'linux.resources.rdma.*.hcaObjects'],
  }),
  ...rows(unified, { '1.1.0': ['linux.resources.unified'] }),
];
