import {
  bool,
  int32,
  int64,
  list,
  map,
  pointer,
  string,
  struct,
  uint16,
  uint32,
  uint64,
  type GoStruct,
  type GoType,
} from './go-type.ts';

// Source: the structs initConfig, Config and those below them in libcontainer of runc 1.1.5 and
// 1.5.1, with Cgroup and Resources of opencontainers/cgroups 0.0.6 for the latter.

/** The releases of runc whose config can be written and read, by the first of each. */
export type InitConfigLayout = 'runc-1.1' | 'runc-1.5';

const strings = list(string);

const hook = struct({
  path: string,
  args: strings,
  env: strings,
  dir: string,
  timeout: pointer(int64),
});
const hooks = struct({
  createContainer: list(hook),
  createRuntime: list(hook),
  poststart: list(hook),
  poststop: list(hook),
  prestart: list(hook),
  startContainer: list(hook),
});
const recAttr = pointer(
  struct({ Attr_set: uint64, Attr_clr: uint64, Propagation: uint64, Userns_fd: uint64 }),
);
const idMap = struct({ container_id: int64, host_id: int64, size: int64 });
const rlimit = struct({ type: int64, hard: uint64, soft: uint64 });
const weightDevice = struct({ major: int64, minor: int64, weight: uint16, leafWeight: uint16 });
const throttleDevice = struct({ major: int64, minor: int64, rate: uint64 });
const hugepageLimit = struct({ page_size: string, limit: uint64 });
const ifPrio = struct({ interface: string, priority: int64 });
const rdma = struct({ 'hca_handles?': pointer(uint32), 'hca_objects?': pointer(uint32) });
const seccompCall = struct({
  name: string,
  action: int64,
  errnoRet: pointer(uint64),
  args: list(struct({ index: uint64, value: uint64, value_two: uint64, op: int64 })),
});
const deviceRule = {
  type: int32,
  major: int64,
  minor: int64,
  permissions: string,
  allow: bool,
} satisfies Record<string, GoType>;
const specState = pointer(
  struct({
    ociVersion: string,
    id: string,
    status: string,
    'pid?': int64,
    bundle: string,
    'annotations?': map(string),
  }),
);

const capabilities11 = pointer(
  struct({
    Bounding: strings,
    Effective: strings,
    Inheritable: strings,
    Permitted: strings,
    Ambient: strings,
  }),
);
const network11 = {
  type: string,
  name: string,
  bridge: string,
  mac_address: string,
  address: string,
  gateway: string,
  ipv6_address: string,
  ipv6_gateway: string,
  mtu: int64,
  txqueuelen: int64,
  host_interface_name: string,
  hairpin_mode: bool,
} satisfies Record<string, GoType>;

const config11 = struct({
  no_pivot_root: bool,
  parent_death_signal: int64,
  rootfs: string,
  umask: pointer(uint32),
  readonlyfs: bool,
  rootPropagation: int64,
  mounts: list(
    struct({
      source: string,
      destination: string,
      device: string,
      flags: int64,
      propagation_flags: list(int64),
      data: string,
      relabel: string,
      rec_attr: recAttr,
      extensions: int64,
      premount_cmds: list(hook),
      postmount_cmds: list(hook),
    }),
  ),
  devices: list(
    struct({ ...deviceRule, path: string, file_mode: uint32, uid: uint32, gid: uint32 }),
  ),
  mount_label: string,
  hostname: string,
  namespaces: list(struct({ type: string, path: string })),
  capabilities: capabilities11,
  networks: list(struct(network11)),
  routes: list(
    struct({ destination: string, source: string, gateway: string, interface_name: string }),
  ),
  cgroups: pointer(
    struct({
      'name?': string,
      'parent?': string,
      path: string,
      scope_prefix: string,
      devices: list(struct(deviceRule)),
      memory: int64,
      memory_reservation: int64,
      memory_swap: int64,
      cpu_shares: uint64,
      cpu_quota: int64,
      cpu_period: uint64,
      cpu_rt_quota: int64,
      cpu_rt_period: uint64,
      cpuset_cpus: string,
      cpuset_mems: string,
      pids_limit: int64,
      blkio_weight: uint16,
      blkio_leaf_weight: uint16,
      blkio_weight_device: list(weightDevice),
      blkio_throttle_read_bps_device: list(throttleDevice),
      blkio_throttle_write_bps_device: list(throttleDevice),
      blkio_throttle_read_iops_device: list(throttleDevice),
      blkio_throttle_write_iops_device: list(throttleDevice),
      freezer: string,
      hugetlb_limit: list(hugepageLimit),
      oom_kill_disable: bool,
      memory_swappiness: pointer(uint64),
      net_prio_ifpriomap: list(ifPrio),
      net_cls_classid_u: uint32,
      rdma: map(rdma),
      cpu_weight: uint64,
      unified: map(string),
      Systemd: bool,
      Rootless: bool,
      'owner_uid?': pointer(int64),
    }),
  ),
  'apparmor_profile?': string,
  'process_label?': string,
  'rlimits?': list(rlimit),
  'oom_score_adj?': pointer(int64),
  uid_mappings: list(idMap),
  gid_mappings: list(idMap),
  mask_paths: strings,
  readonly_paths: strings,
  sysctl: map(string),
  seccomp: pointer(
    struct({
      default_action: int64,
      architectures: strings,
      syscalls: list(seccompCall),
      default_errno_ret: pointer(uint64),
      'listener_path?': string,
      'listener_metadata?': string,
    }),
  ),
  'no_new_privileges?': bool,
  Hooks: hooks,
  version: string,
  labels: strings,
  no_new_keyring: bool,
  'intel_rdt?': pointer(
    struct({ 'closID?': string, 'l3_cache_schema?': string, 'memBwSchema?': string }),
  ),
  'rootless_euid?': bool,
  'rootless_cgroups?': bool,
});

const initConfig11 = struct({
  args: strings,
  env: strings,
  cwd: string,
  capabilities: capabilities11,
  process_label: string,
  apparmor_profile: string,
  no_new_privileges: bool,
  user: string,
  additional_groups: strings,
  config: pointer(config11),
  network: list(struct({ ...network11, temp_veth_peer_name: string })),
  passed_files_count: int64,
  containerid: string,
  rlimits: list(rlimit),
  create_console: bool,
  console_width: uint16,
  console_height: uint16,
  'rootless_euid?': bool,
  'rootless_cgroups?': bool,
  'spec_state?': specState,
  'cgroup2_path?': string,
});

const capabilities15 = struct({
  'Bounding?': strings,
  'Effective?': strings,
  'Inheritable?': strings,
  'Permitted?': strings,
  'Ambient?': strings,
});
const network15 = {
  type: string,
  'name?': string,
  'bridge?': string,
  'mac_address?': string,
  'address?': string,
  'gateway?': string,
  'ipv6_address?': string,
  'ipv6_gateway?': string,
  'mtu?': int64,
  'txqueuelen?': int64,
  'host_interface_name?': string,
  'hairpin_mode?': bool,
} satisfies Record<string, GoType>;
const scheduler = pointer(
  struct({
    policy: string,
    'nice?': int32,
    'priority?': int32,
    'flags?': strings,
    'runtime?': uint64,
    'deadline?': uint64,
    'period?': uint64,
  }),
);
const ioPriority = pointer(struct({ class: string, priority: int64 }));
const cpuMask = pointer(list(uint64));
const cpuAffinity = pointer(struct({ Initial: cpuMask, Final: cpuMask }));

const config15 = struct({
  'no_pivot_root?': bool,
  'parent_death_signal?': int64,
  rootfs: string,
  'umask?': pointer(uint32),
  'readonlyfs?': bool,
  'rootPropagation?': int64,
  mounts: list(
    struct({
      source: string,
      destination: string,
      device: string,
      'flags?': int64,
      'cleared_flags?': int64,
      'propagation_flags?': list(int64),
      'data?': string,
      'rec_attr?': recAttr,
      'extensions?': int64,
      'id_mapping?': pointer(
        struct({
          'recursive?': bool,
          'userns_path?': string,
          'uid_mappings?': list(idMap),
          'gid_mappings?': list(idMap),
        }),
      ),
    }),
  ),
  devices: list(
    struct({ ...deviceRule, path: string, file_mode: uint32, 'uid?': uint32, 'gid?': uint32 }),
  ),
  'netDevices?': map(struct({ 'name?': string })),
  'mount_label?': string,
  'hostname?': string,
  'domainname?': string,
  namespaces: list(struct({ type: string, 'path?': string })),
  'capabilities?': pointer(capabilities15),
  'networks?': list(struct(network15)),
  'routes?': list(
    struct({
      'destination?': string,
      'source?': string,
      'gateway?': string,
      'interface_name?': string,
    }),
  ),
  cgroups: pointer(
    struct({
      'name?': string,
      'parent?': string,
      'path?': string,
      'scope_prefix?': string,
      'devices?': list(struct(deviceRule)),
      'memory?': int64,
      'memory_reservation?': int64,
      'memory_swap?': int64,
      'cpu_shares?': uint64,
      'cpu_quota?': int64,
      'cpu_burst?': pointer(uint64),
      'cpu_period?': uint64,
      'cpu_rt_quota?': int64,
      'cpu_rt_period?': uint64,
      'cpuset_cpus?': string,
      'cpuset_mems?': string,
      'cpu_idle?': pointer(int64),
      'pids_limit?': pointer(int64),
      'blkio_weight?': uint16,
      'blkio_leaf_weight?': uint16,
      'blkio_weight_device?': list(weightDevice),
      'blkio_throttle_read_bps_device?': list(throttleDevice),
      'blkio_throttle_write_bps_device?': list(throttleDevice),
      'blkio_throttle_read_iops_device?': list(throttleDevice),
      'blkio_throttle_write_iops_device?': list(throttleDevice),
      'freezer?': string,
      'hugetlb_limit?': list(hugepageLimit),
      'oom_kill_disable?': bool,
      'memory_swappiness?': pointer(uint64),
      'net_prio_ifpriomap?': list(ifPrio),
      'net_cls_classid_u?': uint32,
      'rdma?': map(rdma),
      'cpu_weight?': uint64,
      'unified?': map(string),
      'memory_check_before_update?': bool,
      'Systemd?': bool,
      'Rootless?': bool,
      'owner_uid?': pointer(int64),
    }),
  ),
  'apparmor_profile?': string,
  'process_label?': string,
  'rlimits?': list(rlimit),
  'oom_score_adj?': pointer(int64),
  'uid_mappings?': list(idMap),
  'gid_mappings?': list(idMap),
  'mask_paths?': strings,
  'readonly_paths?': strings,
  'sysctl?': map(string),
  'seccomp?': pointer(
    struct({
      default_action: int64,
      architectures: strings,
      flags: strings,
      syscalls: list(seccompCall),
      default_errno_ret: pointer(uint64),
      'listener_path?': string,
      'listener_metadata?': string,
    }),
  ),
  'no_new_privileges?': bool,
  'Hooks?': hooks,
  version: string,
  labels: strings,
  'no_new_keyring?': bool,
  'intel_rdt?': pointer(
    struct({
      'closID?': string,
      'schemata?': strings,
      'l3_cache_schema?': string,
      'memBwSchema?': string,
      'enableMonitoring?': bool,
    }),
  ),
  'memory_policy?': pointer(struct({ 'mode?': int64, 'flags?': int64, 'nodes?': cpuMask })),
  'rootless_euid?': bool,
  'rootless_cgroups?': bool,
  'time_offsets?': map(struct({ 'secs?': int64, 'nanosecs?': uint32 })),
  'scheduler?': scheduler,
  'personality?': pointer(struct({ domain: int64 })),
  'io_priority?': ioPriority,
  'exec_cpu_affinity?': cpuAffinity,
});

const initConfig15 = struct({
  config: pointer(config15),
  args: strings,
  env: strings,
  uid: int64,
  gid: int64,
  additional_groups: list(int64),
  cwd: string,
  create_console: bool,
  console_width: uint16,
  console_height: uint16,
  passed_files_count: int64,
  apparmor_profile: string,
  capabilities: pointer(capabilities15),
  no_new_privileges: bool,
  process_label: string,
  rlimits: list(rlimit),
  'io_priority?': ioPriority,
  'scheduler?': scheduler,
  'cpu_affinity?': cpuAffinity,
  containerid: string,
  'cgroup2_path?': string,
  network: list(struct({ ...network15, temp_veth_peer_name: string })),
  'spec_state?': specState,
});

/** The structs of each layout. */
export const initConfigLayouts: Readonly<Record<InitConfigLayout, GoStruct>> = Object.freeze({
  'runc-1.1': initConfig11,
  'runc-1.5': initConfig15,
});
