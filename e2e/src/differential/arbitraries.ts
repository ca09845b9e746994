// What the generated configurations are made of: an entry for each group of fields.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import {
  type OciBlockIO,
  type OciCapabilitySets,
  type OciMemory,
  type OciMount,
  type OciNamespaceType,
  type OciRootfsPropagation,
  type OciSeccompArg,
  type OciSpec,
  type OciThrottleDevice,
  type SpecField,
  specFields,
  stockSpec,
} from '@pilotlight/init';
import { probeScript } from './probe.ts';
import type { Runtime } from './references.ts';

/** One group of fields: how it is chosen, and how it changes the stock specification. */
export type Entry<Value = unknown> = {
  name: string;
  /** Rows of the table; the entry is drawn when all of them are honoured. `field=value` for a row of one value. */
  fields: readonly string[];
  /** Runtimes whose version here does not know the fields: they are not asked then. */
  unknownTo?: readonly Runtime['name'][];
  /** Drawn seldom: it keeps other things from being seen. */
  rare?: boolean;
  value: fc.Arbitrary<Value>;
  apply: (spec: OciSpec, value: Value, context: Context) => void;
};

export type Context = { /** A name that no other configuration has. */ unique: string };

/** Values by the names of their entries; what is not drawn stays as the stock specification has it. */
export type Choice = Readonly<Record<string, unknown>>;

/** Configurations over everything that is honoured. */
export function choices(rows: readonly SpecField[] = specFields()): fc.Arbitrary<Choice> {
  const drawn = entries.filter(({ fields }) => fields.every((field) => isHonoured(rows, field)));
  // A few at a time: what differs is easier to see, and less hides behind what fails.
  const sparse = ({ value, rare = false }: Entry): fc.Arbitrary<unknown> =>
    fc.oneof(
      { withCrossShrink: true },
      { arbitrary: fc.constant(undefined), weight: rare ? 30 : 5 },
      { arbitrary: value, weight: 2 },
    );
  return fc
    .record(Object.fromEntries(drawn.map((one) => [one.name, sparse(one)])))
    .map((all) =>
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
    );
}

/** The specification that a choice makes. */
export function specOf(choice: Choice, context: Context): OciSpec {
  const spec = stockSpec();
  spec.process.terminal = false;
  spec.process.args = ['/bin/sh', '-c', probeScript('exit 0')];
  for (const { name, apply } of entries) {
    if (Object.hasOwn(choice, name)) apply(spec, choice[name], context);
  }
  return spec;
}

/** Whether this version of a runtime knows every field that was drawn. */
export const understands = (runtime: Runtime['name'], choice: Choice): boolean =>
  !entries.some(
    ({ name, unknownTo = [] }) => Object.hasOwn(choice, name) && unknownTo.includes(runtime),
  );

/** Entries that are not drawn yet, for the report of a run. */
export const undrawn = (rows: readonly SpecField[] = specFields()): string[] =>
  entries
    .filter(({ fields }) => !fields.every((field) => isHonoured(rows, field)))
    .map(({ name }) => name);

function isHonoured(rows: readonly SpecField[], wanted: string): boolean {
  const [name, value] = wanted.split('=');
  const matching = rows.filter(
    (row) => row.field === name && (value === undefined || row.value === value),
  );
  return matching.length > 0 && matching.every(({ status }) => status === 'honoured');
}

/** Each applies only values of its own. */
const entry = <Value>(one: Entry<Value>): Entry => one as unknown as Entry;
// runc takes none above the signed 32-bit numbers.
const userId = fc.constantFrom(0, 1, 1000, 65_534, 2_000_000_000);
const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/**
 * None that could change the host from a container that shares a namespace with it: nothing of
 * CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_TIME and their like.
 */
const harmlessCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_SYS_NICE',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
];
const capabilitySet = fc.option(fc.subarray(harmlessCapabilities), { nil: undefined });

/** By resource: what the probe needs at least, and its name in proc_pid_limits(5). */
const limits: Readonly<Record<string, readonly [lowest: number, name: string]>> = {
  RLIMIT_CPU: [100, 'Max cpu time'],
  RLIMIT_FSIZE: [1_000_000, 'Max file size'],
  RLIMIT_DATA: [2 ** 28, 'Max data size'],
  RLIMIT_STACK: [2 ** 22, 'Max stack size'],
  RLIMIT_CORE: [0, 'Max core file size'],
  RLIMIT_RSS: [0, 'Max resident set'],
  RLIMIT_NPROC: [500, 'Max processes'],
  RLIMIT_NOFILE: [32, 'Max open files'],
  RLIMIT_MEMLOCK: [0, 'Max locked memory'],
  RLIMIT_AS: [2 ** 30, 'Max address space'],
  RLIMIT_LOCKS: [0, 'Max file locks'],
  RLIMIT_SIGPENDING: [100, 'Max pending signals'],
  RLIMIT_MSGQUEUE: [0, 'Max msgqueue size'],
  RLIMIT_NICE: [0, 'Max nice priority'],
  RLIMIT_RTPRIO: [0, 'Max realtime priority'],
  RLIMIT_RTTIME: [0, 'Max realtime timeout'],
};
const infinity = 2n ** 64n - 1n;
const ownLimits = readFileSync('/proc/self/limits', 'utf8');

/** The hard limit of this process: whoever lacks CAP_SYS_RESOURCE cannot go above. */
function ownHardLimit(name: string): bigint {
  const hard = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(ownLimits)?.[1];
  return hard === undefined || hard === 'unlimited' ? infinity : BigInt(hard);
}

const rlimit = fc
  .tuple(
    fc.constantFrom(...Object.keys(limits)),
    int(0, 1000),
    fc.constantFrom(0n, 1n, 100n, 2n ** 31n, 9_007_199_254_740_993n, infinity),
  )
  .map(([type, soft, more]) => {
    const [lowest, name] = limits[type] ?? [0, ''];
    const highest = ownHardLimit(name);
    const least = (value: bigint): bigint => (value < highest ? value : highest);
    const start = least(BigInt(lowest + soft));
    return { type, soft: start, hard: least(start + more) };
  });

/** From what this process has upwards: less needs CAP_SYS_RESOURCE. */
const ownOomScore = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
const oomScores = [-1000, -1, 0, 77, 1000].filter((score) => score >= ownOomScore);

// One of each group: what two that contradict each other mean is nowhere specified.
const oneOf = (...names: string[]): fc.Arbitrary<string[]> =>
  fc.constantFrom([], ...names.map((name) => [name]));
const mountOptions = fc
  .tuple(
    oneOf('ro', 'rw'),
    oneOf('nosuid', 'suid'),
    oneOf('nodev', 'dev'),
    oneOf('noexec', 'exec'),
    oneOf('noatime', 'atime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime'),
    oneOf('nodiratime', 'diratime'),
  )
  .map((lists) => lists.flat());
const propagation = fc.constantFrom<string[][]>(
  [],
  ['private'],
  ['rprivate'],
  ['rslave'],
  ['slave'],
  ['rshared'],
  ['shared'],
  ['unbindable'],
);
const destination = fc.constantFrom('/data/a', '/data/b', '/data/c/deep', '/made/mount', '/tmp');
const mount: fc.Arbitrary<OciMount> = fc.oneof(
  fc.record({
    destination,
    source: fc.constantFrom('outside', 'outside/inner'),
    type: fc.constantFrom('bind', 'none', ''),
    options: fc
      .tuple(
        fc.constantFrom('bind', 'rbind'),
        mountOptions,
        oneOf('rro', 'rnosuid', 'rnodev', 'rnoexec', 'rnoatime'),
        propagation,
      )
      .map(([bind, ...more]) => [bind, ...more.flat()]),
  }),
  fc.record({
    destination: fc.constantFrom('/data/file-here', '/data/file'),
    source: fc.constant('outside/file'),
    type: fc.constant('bind'),
    options: mountOptions.map((options) => ['bind', ...options]),
  }),
  fc.record({
    // Not on a directory that is there: runc 1.1 gives the mount its mode, whatever is asked.
    destination: fc.constantFrom('/data/a', '/data/c/deep', '/made/mount'),
    source: fc.constantFrom('tmpfs', 'a name'),
    type: fc.constant('tmpfs'),
    options: fc
      .tuple(
        mountOptions,
        fc.subarray(['size=64k', 'mode=0700', 'nr_inodes=100', 'uid=1000', 'gid=5']),
        propagation,
      )
      .map((lists) => lists.flat()),
  }),
  fc.record({
    destination: fc.constantFrom('/etc', '/home'),
    source: fc.constant('tmpfs'),
    type: fc.constant('tmpfs'),
    options: mountOptions.map((options) => ['tmpcopyup', ...options]),
  }),
  fc.record({
    destination: fc.constantFrom('/data/a', '/data/proc'),
    source: fc.constant('proc'),
    type: fc.constant('proc'),
    options: fc.subarray(['ro', 'nosuid', 'nodev', 'noexec', 'hidepid=2']),
  }),
);

const deviceRule = fc
  .record(
    {
      allow: fc.boolean(),
      type: fc.constantFrom('b', 'c'),
      major: fc.constantFrom(1, 5, 10, 254),
      minor: fc.constantFrom(0, 3, 11, 229),
      access: fc.constantFrom('r', 'rw', 'rwm', 'm'),
    },
    { requiredKeys: ['allow', 'type', 'access'] },
  )
  .map((rule) => rule as { allow: boolean; type: 'b' | 'c'; access: string });

/** A whole disk of this machine, which throttling needs. */
const disk = readdirSync('/sys/block')
  .filter((name) => !/^(loop|ram|zram|sr)/.test(name))
  .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim().split(':').map(Number))
  .map(([major = 0, minor = 0]) => ({ major, minor }))[0];
const throttle = (...rates: number[]): fc.Arbitrary<OciThrottleDevice[]> =>
  fc.constantFrom(...rates).map((rate) => (disk === undefined ? [] : [{ ...disk, rate }]));
const countsSwap = existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes');

const linux = (spec: OciSpec): Record<string, unknown> => (spec.linux ??= {});
const resources = (spec: OciSpec): Record<string, unknown> =>
  (linux(spec)['resources'] ??= {}) as Record<string, unknown>;
const megabyte = 2 ** 20;

const entries: readonly Entry[] = [
  entry({
    name: 'user',
    fields: [
      'process.user.uid',
      'process.user.gid',
      'process.user.umask',
      'process.user.additionalGids',
    ],
    value: fc.record(
      {
        uid: userId,
        gid: userId,
        umask: fc.constantFrom(0, 0o22, 0o27, 0o77, 0o777),
        additionalGids: fc.uniqueArray(userId, { maxLength: 3 }),
      },
      { requiredKeys: ['uid', 'gid'] },
    ),
    apply: ({ process }, user) => void (process.user = user),
  }),
  entry({
    name: 'capabilities',
    fields: ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'].map(
      (set) => `process.capabilities.${set}`,
    ),
    value: fc.option(
      fc
        .record<OciCapabilitySets>({
          bounding: capabilitySet,
          permitted: capabilitySet,
          inheritable: capabilitySet,
          effective: capabilitySet,
          ambient: capabilitySet,
        })
        // The kernel refuses any other.
        .map(({ bounding, permitted, inheritable, effective, ambient }) => ({
          bounding,
          permitted,
          inheritable: inheritable?.filter((name) => bounding?.includes(name) === true),
          effective: effective?.filter((name) => permitted?.includes(name) === true),
          ambient,
        })),
      { nil: null },
    ),
    apply: ({ process }, sets) => void (process.capabilities = sets ?? undefined),
  }),
  entry({
    name: 'noNewPrivileges',
    fields: ['process.noNewPrivileges'],
    value: fc.boolean(),
    apply: ({ process }, value) => void (process.noNewPrivileges = value),
  }),
  entry({
    name: 'rlimits',
    fields: ['process.rlimits[].type', 'process.rlimits[].soft', 'process.rlimits[].hard'],
    value: fc.uniqueArray(rlimit, { selector: ({ type }) => type, maxLength: 5 }),
    apply: ({ process }, value) => void (process.rlimits = value),
  }),
  entry({
    name: 'oomScoreAdj',
    fields: ['process.oomScoreAdj'],
    value: fc.constantFrom(...oomScores),
    apply: ({ process }, value) => void (process.oomScoreAdj = value),
  }),
  entry({
    name: 'cwd',
    fields: ['process.cwd'],
    value: fc.constantFrom(
      '/',
      '/data',
      '/data/not/yet',
      '/made',
      '/tmp/',
      '/proc',
      '/dev/shm',
      '/bin/..',
    ),
    apply: ({ process }, value) => void (process.cwd = value),
  }),
  entry({
    name: 'env',
    fields: ['process.env'],
    value: fc.array(
      fc.oneof(
        fc.constantFrom('HOME=/data', 'HOME=', 'PATH=/bin', 'A=1', 'A=2', 'LISTEN_FDS=0', 'TERM=x'),
        fc
          .string({ unit: 'grapheme', maxLength: 8 })
          .filter((text) => !/[\0\n\r]/.test(text) && text.isWellFormed())
          .map((text) => `B=${text}`),
      ),
      { maxLength: 4 },
    ),
    apply: ({ process }, value) => void (process.env = value),
  }),
  entry({
    name: 'ending',
    fields: ['process.args'],
    value: fc.oneof(
      int(0, 255).map((code) => `exit ${code}`),
      fc.constantFrom(
        'kill -9 $$',
        'kill -15 $$',
        'kill -11 $$',
        'true | false',
        'exec /bin/false',
      ),
    ),
    apply: ({ process }, value) => void (process.args = ['/bin/sh', '-c', probeScript(value)]),
  }),
  entry({
    name: 'program',
    fields: ['process.args'],
    rare: true,
    // Found by PATH, or not at all; further arguments are seen in cmdline.
    value: fc.constantFrom('sh', 'bin/sh', '/bin/../bin/sh', '/bin/nothing', 'nothing'),
    apply: ({ process }, value) => void (process.args[0] = value),
  }),
  entry({
    name: 'hostname',
    fields: ['hostname'],
    value: fc.constantFrom('box', 'a.b.example', 'x'.repeat(64), null),
    apply: (spec, value) => void (spec.hostname = value ?? undefined),
  }),
  entry({
    name: 'domainname',
    fields: ['domainname'],
    // Since runc 1.2.
    unknownTo: ['runc'],
    rare: true,
    value: fc.constantFrom('example', 'x'.repeat(64)),
    apply: (spec, value) => void (spec.domainname = value),
  }),
  entry({
    name: 'readonly',
    fields: ['root.readonly'],
    value: fc.boolean(),
    apply: ({ root }, value) => void (root.readonly = value),
  }),
  entry({
    name: 'mounts',
    fields: ['mounts[].destination', 'mounts[].type', 'mounts[].source', 'mounts[].options'],
    // One at each place: what lies below decides about a tmpfs under runc 1.1, and is not seen otherwise.
    value: fc.uniqueArray(mount, {
      selector: ({ destination: where }) => where,
      minLength: 1,
      maxLength: 3,
    }),
    apply: (spec, value) => void spec.mounts!.push(...value),
  }),
  entry({
    name: 'stockMountOptions',
    fields: ['mounts[].options'],
    value: fc.record({
      destination: fc.constantFrom(
        '/proc',
        '/dev',
        '/dev/pts',
        '/dev/shm',
        '/sys',
        '/sys/fs/cgroup',
      ),
      options: fc.subarray(['ro', 'nosuid', 'nodev', 'noexec']),
    }),
    apply(spec, { destination: where, options }) {
      const own = spec.mounts!.find((one) => one.destination === where);
      if (own !== undefined) own.options = [...(own.options ?? []), ...options];
    },
  }),
  entry({
    name: 'missingMounts',
    fields: ['mounts[].destination'],
    value: fc.subarray(['/dev/pts', '/dev/shm', '/dev/mqueue', '/sys', '/sys/fs/cgroup']),
    apply: (spec, value) =>
      void (spec.mounts = spec.mounts!.filter((one) => !value.includes(one.destination))),
  }),
  entry({
    name: 'sharedNamespaces',
    fields: ['pid', 'network', 'ipc', 'uts', 'cgroup'].map(
      (type) => `linux.namespaces[].type=${type}`,
    ),
    value: fc.subarray<OciNamespaceType>(['pid', 'network', 'ipc', 'uts', 'cgroup'], {
      minLength: 1,
    }),
    apply(spec, value) {
      const own = spec.linux!.namespaces!.filter(({ type }) => !value.includes(type));
      spec.linux!.namespaces = own;
      if (value.includes('uts')) {
        delete spec.hostname;
        delete spec.domainname;
      }
    },
  }),
  entry({
    name: 'maskedPaths',
    fields: ['linux.maskedPaths'],
    value: fc.subarray([
      '/proc/kcore',
      '/proc/acpi',
      '/proc/keys',
      '/sys/firmware',
      '/data/file',
      '/tmp',
      '/nothing/here',
      '/proc/sys',
    ]),
    apply: (spec, value) => void (spec.linux!.maskedPaths = value),
  }),
  entry({
    name: 'readonlyPaths',
    fields: ['linux.readonlyPaths'],
    value: fc.subarray([
      '/proc/sys',
      '/proc/irq',
      '/data',
      '/data/file',
      '/tmp',
      '/dev/shm',
      '/nothing/here',
    ]),
    apply: (spec, value) => void (spec.linux!.readonlyPaths = value),
  }),
  entry({
    name: 'cgroupsPath',
    fields: ['linux.cgroupsPath'],
    value: fc.constantFrom('/', ''),
    apply: (spec, start, { unique }) => void (spec.linux!.cgroupsPath = `${start}${unique}`),
  }),
  entry({
    name: 'deviceRules',
    fields: ['allow', 'type', 'major', 'minor', 'access'].map(
      (name) => `linux.resources.devices[].${name}`,
    ),
    value: fc.array(deviceRule, { maxLength: 3 }),
    apply: (spec, rules) => void spec.linux!.resources!.devices!.push(...rules),
  }),
  entry({
    name: 'rootfsPropagation',
    fields: ['linux.rootfsPropagation'],
    value: fc.constantFrom<OciRootfsPropagation[]>(
      'private',
      'rprivate',
      'slave',
      'rslave',
      'shared',
      'rshared',
      'unbindable',
      'runbindable',
    ),
    apply: (spec, value) => void (spec.linux!.rootfsPropagation = value),
  }),

  entry({
    name: 'memory',
    fields: ['limit', 'reservation', 'swap', 'swappiness', 'disableOOMKiller'].map(
      (name) => `linux.resources.memory.${name}`,
    ),
    value: fc
      .record<OciMemory>(
        {
          limit: fc.constantFrom(64 * megabyte, 256 * megabyte, -1),
          reservation: fc.constantFrom(32 * megabyte, -1),
          swap: fc.constantFrom(256 * megabyte, 512 * megabyte, -1),
          swappiness: fc.constantFrom(0, 60, 100),
          disableOOMKiller: fc.boolean(),
        },
        { requiredKeys: [] },
      )
      // With swap is never less than without.
      .map(({ swap, ...memory }) =>
        countsSwap && swap !== undefined && Number(memory.limit ?? -1) > 0
          ? { ...memory, swap }
          : memory,
      ),
    apply: (spec, value) => void (resources(spec)['memory'] = value),
  }),
  entry({
    name: 'blockIO',
    fields: ['throttleReadBpsDevice', 'throttleWriteIOPSDevice'].map(
      (name) => `linux.resources.blockIO.${name}[].rate`,
    ),
    value: fc.record<OciBlockIO>(
      {
        throttleReadBpsDevice: throttle(10 * megabyte, 0),
        throttleWriteBpsDevice: throttle(10 * megabyte),
        throttleReadIOPSDevice: throttle(1000),
        throttleWriteIOPSDevice: throttle(500, 0),
      },
      { requiredKeys: [] },
    ),
    apply: (spec, value) => void (resources(spec)['blockIO'] = value),
  }),
  entry({
    name: 'pids',
    fields: ['linux.resources.pids.limit'],
    // Not 0, which both take for no limit: 1.3 of the specification has it as one.
    value: fc.constantFrom(50, 1000, -1),
    apply: (spec, limit) => void (resources(spec)['pids'] = { limit }),
  }),
  entry({
    name: 'cpu',
    fields: ['shares', 'quota', 'period', 'cpus', 'mems'].map(
      (name) => `linux.resources.cpu.${name}`,
    ),
    value: fc.record(
      {
        shares: fc.constantFrom(2, 512, 10_000),
        quota: fc.constantFrom(50_000, 200_000, -1),
        period: fc.constantFrom(50_000, 100_000),
        cpus: fc.constantFrom('0', '0-1', '1'),
        mems: fc.constant('0'),
      },
      { requiredKeys: [] },
    ),
    apply: (spec, value) => void (resources(spec)['cpu'] = value),
  }),
  entry({
    name: 'devices',
    fields: ['type', 'path', 'major', 'minor', 'fileMode', 'uid', 'gid'].map(
      (name) => `linux.devices[].${name}`,
    ),
    value: fc.uniqueArray(
      fc.record(
        {
          type: fc.constantFrom('c', 'b', 'u'),
          path: fc.constantFrom('/dev/fuse', '/dev/net/tun', '/dev/disk', '/dev/deep/er'),
          major: fc.constantFrom(10, 1, 254),
          minor: fc.constantFrom(229, 11, 0),
          fileMode: fc.constantFrom(0o600, 0o666, 0o640),
          uid: userId,
          gid: userId,
        },
        { requiredKeys: ['type', 'path', 'major', 'minor'] },
      ),
      { selector: ({ path }) => path, maxLength: 3 },
    ),
    apply: (spec, value) => void (linux(spec)['devices'] = value),
  }),
  entry({
    name: 'sysctl',
    fields: ['linux.sysctl'],
    value: fc.oneof(
      // Not of a namespace, or of a field of its own: both references refuse them.
      {
        arbitrary: fc.constantFrom({ 'vm.swappiness': '1' }, { 'kernel.hostname': 'no' }),
        weight: 1,
      },
      {
        weight: 9,
        arbitrary: fc.record(
          {
            'net.ipv4.ip_forward': fc.constantFrom('0', '1'),
            'net.ipv4.ip_unprivileged_port_start': fc.constantFrom('0', '1024', '80'),
            'net.ipv4.ping_group_range': fc.constant('0 2000'),
            'net.core.somaxconn': fc.constant('100'),
            'kernel.shmmax': fc.constant('100000'),
            'kernel.msgmax': fc.constant('4096'),
            'fs.mqueue.msg_max': fc.constant('5'),
          },
          { requiredKeys: [] },
        ),
      },
    ),
    apply: (spec, value) => void (linux(spec)['sysctl'] = value),
  }),
  entry({
    name: 'personality',
    fields: ['linux.personality.domain'],
    // Since runc 1.2.
    unknownTo: ['runc'],
    rare: true,
    value: fc.constantFrom('LINUX', 'LINUX32'),
    apply: (spec, domain) => void (linux(spec)['personality'] = { domain }),
  }),
  entry({
    name: 'seccomp',
    fields: [
      'linux.seccomp.defaultAction',
      'linux.seccomp.syscalls[].names',
      'linux.seccomp.syscalls[].action',
    ],
    value: fc.record(
      {
        syscalls: fc.array(
          fc
            .record(
              {
                names: fc.subarray(
                  [
                    'mkdir',
                    'chown',
                    'fchownat',
                    'mknod',
                    'mknodat',
                    'unshare',
                    'setpriority',
                    'chroot',
                    'notACall',
                  ],
                  { minLength: 1 },
                ),
                action: fc.constantFrom('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG'),
                errnoRet: fc.constantFrom(1, 13, 38, 99),
                // Of mkdir, the mode.
                args: fc.constantFrom<OciSeccompArg[][]>(
                  [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }],
                  [{ index: 1, value: 0o777, op: 'SCMP_CMP_LT' }],
                  [{ index: 1, value: 0o1000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
                ),
              },
              { requiredKeys: ['names', 'action'] },
            )
            // crun refuses a number that means nothing.
            .map(({ errnoRet, ...call }) =>
              call.action === 'SCMP_ACT_ERRNO' && errnoRet !== undefined
                ? { ...call, errnoRet }
                : call,
            ),
          { maxLength: 3 },
        ),
        architectures: fc.constant(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']),
      },
      { requiredKeys: ['syscalls'] },
    ),
    apply: (spec, value) =>
      void (linux(spec)['seccomp'] = { defaultAction: 'SCMP_ACT_ALLOW', ...value }),
  }),
  entry({
    name: 'userNamespace',
    fields: [
      'linux.namespaces[].type=user',
      'linux.uidMappings[].containerID',
      'linux.uidMappings[].hostID',
      'linux.uidMappings[].size',
      'linux.gidMappings[].containerID',
    ],
    value: fc.constantFrom(
      [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      [
        { containerID: 0, hostID: 0, size: 1 },
        { containerID: 1, hostID: 100_000, size: 65_535 },
      ],
      [{ containerID: 0, hostID: 0, size: 4_294_967_295 }],
    ),
    apply(spec, mappings) {
      const { namespaces = [] } = spec.linux!;
      // Whose rights proc, sysfs and mqueue want of whoever mounts them; crun then binds the host's.
      for (const type of ['pid', 'network', 'ipc', 'user'] as const) {
        if (!namespaces!.some((one) => one.type === type)) namespaces!.push({ type });
      }
      linux(spec)['uidMappings'] = [...mappings];
      linux(spec)['gidMappings'] = [...mappings];
      // Locked there, see mount_namespaces(7): ours keeps them, runc fails, crun drops other options too.
      for (const one of spec.mounts ?? []) {
        if (one.source?.startsWith('outside') !== true) continue;
        one.options = one.options?.filter((option) => !option.endsWith('atime'));
      }
      // Nothing can be set through a read-only /proc, and beside it the kernel allows no other there.
      const proc = spec.mounts?.find(({ destination: where }) => where === '/proc');
      if (spec.linux!.sysctl !== undefined && proc !== undefined) {
        proc.options = proc.options?.filter((option) => option !== 'ro');
      }
      // Ours binds the very node of the host; runc takes whatever has the name, and crun makes one.
      delete spec.linux!.devices;
    },
  }),
];
