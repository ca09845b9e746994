import { honoured, later, refused, rows, type SpecField } from './spec-field.ts';

const beside = 'e2e/src/init-runc.test.ts';
const namespaces = honoured('src/plan/namespaces.ts', beside);
const userNamespace = refused('a user namespace cannot be made by this version');
const timeNamespace = refused('a time namespace cannot be made by this version');
const joinedNamespaces = refused('joining an existing namespace is not possible yet');
const idMappings = refused(later);
const timeOffsets = refused(later);
const devices = refused(later);
const netDevices = refused(later);
const sysctl = refused(later);
const propagation = honoured(
  'src/child/rootfs/prepare-root.ts',
  'packages/init/src/config/refuse-unsupported.test.ts',
);
const otherPropagation = refused(
  'only private, rprivate, slave, rslave can be given to the root yet',
);
const mountLabel = refused(later);
const intelRdt = refused(later);
const memoryPolicy = refused(later);
const personality = refused(later);

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
    ],
  }),
  ...rows(userNamespace, { '1.0.0': ['linux.namespaces[].type=user'] }),
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
  ...rows(timeOffsets, {
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
    '1.0.0': ['linux.rootfsPropagation=private', 'linux.rootfsPropagation=slave'],
  }),
  ...rows(otherPropagation, {
    '1.0.0': ['linux.rootfsPropagation=shared', 'linux.rootfsPropagation=unbindable'],
  }),
  ...rows(honoured('src/child/rootfs/restrict-paths.ts', beside), {
    '1.0.0': ['linux.maskedPaths', 'linux.readonlyPaths'],
  }),
  ...rows(mountLabel, { '1.0.0': ['linux.mountLabel'] }),
  ...rows(personality, { '1.0.2': ['linux.personality.domain', 'linux.personality.flags'] }),
];
