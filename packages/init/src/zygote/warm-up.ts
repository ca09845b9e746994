import { encodePacket } from '@pilotlight/sync';
import { runChild } from '../child/run-child.ts';
import type { InitConfig } from '../config/init-config.ts';
import { defaultDevices, devLinks } from '../plan/devices.ts';
import { createRecordingSyscall, RecordedExit } from '../syscall/recording.ts';

const rounds = 30;

/**
 * Runs the whole child against the recording double, so that V8 compiles it here, once, and not in
 * every child anew: that would cost each launch most of a millisecond.
 */
export function warmUpChild(): void {
  const config = new TextEncoder().encode(JSON.stringify(sampleConfig));
  const packets = [
    encodePacket({ type: 'procHooksDone', flags: 0 }),
    encodePacket({ type: 'procRun', flags: 0 }),
  ];
  // The program, and one path to mask; without them this ended before its last stage.
  const files = ['/bin/true', '/proc/kcore', '/etc/passwd'];
  const fds = { stdin: 0, stdout: 1, stderr: 2, init: 3, sync: 4, console: 5 };
  for (let round = 0; round < rounds; round++) {
    // A child that fails takes other ways than one that succeeds; one round of each kind is enough.
    const failAt = round === 0 ? 20 : -1;
    try {
      runChild(createRecordingSyscall({ config, packets, failAt, files }), fds);
    } catch (error) {
      if (!(error instanceof RecordedExit)) throw error;
    }
  }
}

const noChange = { set: 0, clear: 0 };

/** Something of everything. */
const sampleConfig: InitConfig = {
  id: 'warm-up',
  args: ['/bin/true'],
  env: ['PATH=/bin'],
  cwd: '/',
  keyring: '_ses.warm-up',
  entering: false,
  cpus: undefined,
  joins: [],
  becomeRoot: true,
  canSetGroups: true,
  unshareIpc: true,
  unshareCgroup: true,
  timeOffsets: undefined,
  loopbackUp: true,
  netDevices: [],
  hostname: 'warm-up',
  domainname: undefined,
  rootfs: {
    path: '/',
    readonly: true,
    readonlyBelow: true,
    propagation: 0,
    propagationRecursive: true,
  },
  mounts: [
    {
      kind: 'filesystem',
      index: 0,
      destination: '/proc',
      fstype: 'proc',
      source: 'proc',
      attributes: 1,
      superblockFlags: ['ro'],
      parameters: [
        ['size', '1'],
        ['flag', null],
      ],
      propagation: [{ propagation: 0, recursive: true }],
      noLinks: true,
    },
    {
      kind: 'bind',
      index: 1,
      destination: '/mnt/a',
      source: '/',
      recursive: true,
      attributes: { set: 1, clear: 0 },
      recursiveAttributes: noChange,
      propagation: [],
    },
    { kind: 'seal', index: 1, destination: '/mnt/a' },
  ],
  devices: defaultDevices,
  devLinks,
  maskedPaths: ['/proc/kcore', '/sys/firmware'],
  readonlyPaths: ['/proc/sys'],
  console: undefined,
  activation: { count: 1, names: ['a'] },
  sysctls: [{ name: 'net.a', path: 'net/a', value: '1' }],
  labels: undefined,
  scheduling: {
    scheduler: {
      name: 'SCHED_OTHER',
      policy: 0,
      flags: 0,
      nice: 0,
      priority: 0,
      runtime: '0',
      deadline: '0',
      period: '0',
    },
    ioPriority: 0,
    personality: 0,
    memoryPolicy: { name: 'MPOL_BIND', mode: 2, nodes: [[0, 1]] },
  },
  rlimits: [
    { type: 'RLIMIT_NOFILE', resource: 7, soft: '1', hard: '1' },
    { type: 'RLIMIT_AS', resource: 9, soft: '1', hard: '1' },
  ],
  oomScoreAdj: 0,
  umask: 0o22,
  noNewPrivileges: true,
  // A filter that allows everything.
  seccomp: { filter: 'BgAAAAAA/38=', flags: 0, notify: false },
  user: { uid: 0, gid: 0, additionalGids: [1] },
  capabilities: { bounding: [1], effective: [1], inheritable: [1], permitted: [1], ambient: [1] },
  // Rare, and each hook is a program to start: what compiling costs is lost in that.
  hooks: undefined,
};
