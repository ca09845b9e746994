import { honoured, later, refused, rows, type SpecField } from './spec-field.ts';

const deviceRules = honoured(
  'src/cgroup/device-rules.ts',
  'packages/init/src/cgroup/device-rules.test.ts',
  'the v1 device controller, or BPF on v2',
);
const memory = refused(later);
const kernelMemory = refused(later);
const cpu = refused(later);
const realtime = refused(later);
const pids = refused(later);
const blockIO = refused(later);
const leafWeight = refused(later);
const hugepages = refused(later);
const network = refused(later);
const rdma = refused(later);
const unified = refused(later);

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
    '1.0.0': [
      'linux.resources.memory.limit',
      'linux.resources.memory.reservation',
      'linux.resources.memory.swap',
      'linux.resources.memory.swappiness',
      'linux.resources.memory.disableOOMKiller',
    ],
    '1.0.2': ['linux.resources.memory.useHierarchy'],
    '1.1.0': ['linux.resources.memory.checkBeforeUpdate'],
  }),
  ...rows(kernelMemory, {
    '1.0.0': ['linux.resources.memory.kernel', 'linux.resources.memory.kernelTCP'],
  }),
  ...rows(cpu, {
    '1.0.0': [
      'linux.resources.cpu.shares',
      'linux.resources.cpu.quota',
      'linux.resources.cpu.period',
      'linux.resources.cpu.cpus',
      'linux.resources.cpu.mems',
    ],
    '1.1.0': ['linux.resources.cpu.burst', 'linux.resources.cpu.idle'],
  }),
  ...rows(realtime, {
    '1.0.0': ['linux.resources.cpu.realtimeRuntime', 'linux.resources.cpu.realtimePeriod'],
  }),
  ...rows(pids, { '1.0.0': ['linux.resources.pids.limit'] }),
  ...rows(blockIO, {
    '1.0.0': [
      'linux.resources.blockIO.weight',
      'linux.resources.blockIO.weightDevice[].major',
      'linux.resources.blockIO.weightDevice[].minor',
      'linux.resources.blockIO.weightDevice[].weight',
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
