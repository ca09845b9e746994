/**
 * A configuration in which every field of the table for Linux is set, each to something valid.
 * Not one that could be launched: some of its fields exclude each other.
 */
export function everyField(): Record<string, unknown> {
  // Fresh ones each time: a copy of the whole keeps what is shared.
  const mapping = (): unknown[] => [{ containerID: 0, hostID: 1000, size: 1 }];
  const hook = (): unknown[] => [{ path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 }];
  const throttle = (): unknown[] => [{ major: 8, minor: 0, rate: 1_000_000 }];
  const sets = (): string[] => ['CAP_KILL'];
  return {
    ociVersion: '1.3.0',
    root: { path: 'rootfs', readonly: true },
    mounts: [
      {
        destination: '/data',
        type: 'bind',
        source: '/srv',
        options: ['bind', 'idmap'],
        uidMappings: mapping(),
        gidMappings: mapping(),
      },
    ],
    hostname: 'box',
    domainname: 'example',
    annotations: { 'org.example': 'x' },
    process: {
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      cwd: '/',
      env: ['A=b'],
      args: ['true'],
      commandLine: 'true',
      user: { uid: 0, gid: 0, umask: 18, additionalGids: [5], username: 'nobody' },
      capabilities: {
        effective: sets(),
        bounding: sets(),
        inheritable: sets(),
        permitted: sets(),
        ambient: sets(),
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }],
      noNewPrivileges: true,
      oomScoreAdj: 100,
      apparmorProfile: 'docker-default',
      selinuxLabel: 'system_u:system_r:container_t:s0',
      scheduler: {
        policy: 'SCHED_DEADLINE',
        nice: 0,
        priority: 0,
        flags: ['SCHED_FLAG_RESET_ON_FORK'],
        runtime: 1_000_000,
        deadline: 2_000_000,
        period: 2_000_000,
      },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '0', final: '0' },
    },
    hooks: {
      prestart: hook(),
      createRuntime: hook(),
      createContainer: hook(),
      startContainer: hook(),
      poststart: hook(),
      poststop: hook(),
    },
    linux: {
      namespaces: [{ type: 'pid', path: '/proc/1/ns/pid' }],
      uidMappings: mapping(),
      gidMappings: mapping(),
      timeOffsets: {
        monotonic: { secs: 1, nanosecs: 1 },
        boottime: { secs: 1, nanosecs: 1 },
      },
      devices: [
        { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 },
      ],
      netDevices: { eth0: { name: 'eth0' } },
      cgroupsPath: '/box',
      intelRdt: {
        closID: 'box',
        schemata: ['L3:0=f'],
        l3CacheSchema: 'L3:0=f',
        memBwSchema: 'MB:0=50',
        enableMonitoring: true,
      },
      memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
      sysctl: { 'net.ipv4.ip_forward': '1' },
      rootfsPropagation: 'private',
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
      mountLabel: 'system_u:object_r:container_file_t:s0',
      // There are no flags yet.
      personality: { domain: 'LINUX32', flags: [] },
      resources: {
        devices: [{ allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' }],
        memory: {
          limit: 64_000_000,
          reservation: 32_000_000,
          swap: 128_000_000,
          swappiness: 10,
          disableOOMKiller: true,
          useHierarchy: true,
          checkBeforeUpdate: true,
          kernel: 32_000_000,
          kernelTCP: 32_000_000,
        },
        cpu: {
          shares: 512,
          quota: 50_000,
          period: 100_000,
          burst: 1000,
          realtimeRuntime: 1000,
          realtimePeriod: 100_000,
          cpus: '0',
          mems: '0',
          idle: 1,
        },
        pids: { limit: 20 },
        blockIO: {
          weight: 100,
          leafWeight: 100,
          weightDevice: [{ major: 8, minor: 0, weight: 100, leafWeight: 100 }],
          throttleReadBpsDevice: throttle(),
          throttleWriteBpsDevice: throttle(),
          throttleReadIOPSDevice: throttle(),
          throttleWriteIOPSDevice: throttle(),
        },
        hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
        network: { classID: 1, priorities: [{ name: 'lo', priority: 1 }] },
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 1000 } },
        unified: { 'memory.high': '64000000' },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        defaultErrnoRet: 1,
        flags: ['SECCOMP_FILTER_FLAG_LOG'],
        architectures: ['SCMP_ARCH_X86_64'],
        listenerPath: '/run/listener',
        listenerMetadata: 'x',
        syscalls: [
          {
            names: ['ptrace'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 1,
            args: [{ index: 0, value: 1, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
    },
    solaris: { milestone: 'x' },
    windows: { layerFolders: ['x'] },
    vm: { kernel: { path: '/x' } },
    zos: { namespaces: [{ type: 'pid' }] },
    freebsd: { jail: { parent: 'x' } },
  };
}
