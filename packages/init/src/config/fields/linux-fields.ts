import { honoured, rows, type SpecField } from './spec-field.ts';

const namespacesTest = 'e2e/src/init-namespaces.test.ts';
const namespaces = honoured('src/plan/namespaces.ts', namespacesTest);
const timeNamespace = honoured('src/plan/time-namespace.ts', namespacesTest, 'Linux 6.1');
const joinedNamespaces = honoured('src/parent/open-namespaces.ts', namespacesTest);
const idMappings = honoured('src/parent/write-id-maps.ts', namespacesTest);
const mountsTest = 'e2e/src/init-mounts.test.ts';
const devices = honoured('src/child/rootfs/make-devices.ts', mountsTest);
const netDevices = honoured('src/parent/net-devices.ts', 'e2e/src/init-net-devices.test.ts');
const attributes = 'e2e/src/init-attributes.test.ts';
const sysctl = honoured('src/plan/sysctl.ts', attributes);
const propagation = honoured('src/child/rootfs/prepare-root.ts', mountsTest);
const labels = 'packages/init/src/lsm/labels.test.ts';
const mountLabel = honoured('src/lsm/plan-labels.ts', labels, 'a kernel that runs SELinux');
const intelRdt = honoured(
  'src/rdt/plan-rdt.ts',
  'packages/init/src/rdt/rdt.test.ts',
  'resctrl mounted, and a processor with what is asked for',
);
const memoryPolicy = honoured('src/plan/memory-policy.ts', attributes, 'CONFIG_NUMA');
const personality = honoured('src/plan/scheduling.ts', attributes);

/** `linux` without its resources and its seccomp filter. */
export const linuxFields = (): SpecField[] => [
  ...rows(namespaces, {
    '1.0.0': [
      'linux.namespaces[].type=pid',
      'linux.namespaces[].type=network',
      'linux.namespaces[].type=mount',
      'linux.namespaces[].type=ipc',
      'linux.namespaces[].type=uts',
      'linux.namespaces[].type=cgroup',
      'linux.namespaces[].type=user',
    ],
  }),
  ...rows(timeNamespace, { '1.1.0': ['linux.namespaces[].type=time'] }),
  ...rows(joinedNamespaces, { '1.0.0': ['linux.namespaces[].path'] }),
  ...rows(idMappings, {
    '1.0.0': [
      'linux.uidMappings[].containerID',
      'linux.uidMappings[].hostID',
      'linux.uidMappings[].size',
      'linux.gidMappings[].containerID',
      'linux.gidMappings[].hostID',
      'linux.gidMappings[].size',
    ],
  }),
  ...rows(timeNamespace, {
    '1.1.0': [
      'linux.timeOffsets.monotonic.secs',
      'linux.timeOffsets.monotonic.nanosecs',
      'linux.timeOffsets.boottime.secs',
      'linux.timeOffsets.boottime.nanosecs',
    ],
  }),
  ...rows(devices, {
    '1.0.0': [
      'linux.devices[].type',
      'linux.devices[].path',
      'linux.devices[].major',
      'linux.devices[].minor',
      'linux.devices[].fileMode',
      'linux.devices[].uid',
      'linux.devices[].gid',
    ],
  }),
  ...rows(netDevices, { '1.3.0': ['linux.netDevices.*.name'] }),
  ...rows(honoured('src/cgroup/plan-cgroup.ts', 'packages/init/src/cgroup/plan-cgroup.test.ts'), {
    '1.0.0': ['linux.cgroupsPath'],
  }),
  ...rows(intelRdt, {
    '1.0.1': ['linux.intelRdt.l3CacheSchema'],
    '1.0.2': ['linux.intelRdt.closID', 'linux.intelRdt.memBwSchema'],
    '1.3.0': ['linux.intelRdt.schemata', 'linux.intelRdt.enableMonitoring'],
  }),
  ...rows(memoryPolicy, {
    '1.3.0': ['linux.memoryPolicy.mode', 'linux.memoryPolicy.nodes', 'linux.memoryPolicy.flags'],
  }),
  ...rows(sysctl, { '1.0.0': ['linux.sysctl'] }),
  ...rows(propagation, {
    '1.0.0': [
      'linux.rootfsPropagation=private',
      'linux.rootfsPropagation=slave',
      'linux.rootfsPropagation=shared',
      'linux.rootfsPropagation=unbindable',
    ],
  }),
  ...rows(honoured('src/child/rootfs/restrict-paths.ts', mountsTest), {
    '1.0.0': ['linux.maskedPaths', 'linux.readonlyPaths'],
  }),
  ...rows(mountLabel, { '1.0.0': ['linux.mountLabel'] }),
  ...rows(personality, { '1.0.2': ['linux.personality.domain', 'linux.personality.flags'] }),
];
