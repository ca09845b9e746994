import { ok, partialDeepStrictEqual, strictEqual } from 'node:assert/strict';
import { decodePacket, encodePacket } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import type { InitConfig } from '../config/init-config.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { planExec } from '../plan/plan-exec.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { createRecordingSyscall, RecordedExit, type RecordedCall } from '../syscall/recording.ts';
import { type ChildFds, takeDescriptors } from './child-fds.ts';
import { FAILED_CHILD_EXIT, runChild } from './run-child.ts';
import { stages } from './stages.ts';

const hierarchies: Hierarchy[] = [
  { version: 2, controllers: '', mountpoint: '/sys/fs/cgroup', root: '/', ownPath: '/' },
];
const fds: ChildFds = {
  stdin: 20,
  stdout: 21,
  stderr: 22,
  init: 23,
  sync: 24,
  console: 25,
  joins: [26],
};
const answers = (entering = false): Uint8Array[] => [
  ...(entering ? [] : [encodePacket({ type: 'procHooksDone', flags: 0 })]),
  encodePacket({ type: 'procRun', flags: 0 }),
];

function configFor(change: (spec: OciSpec) => void = () => {}): InitConfig {
  const spec = stockSpec();
  change(spec);
  const { init } = planLaunch({ id: 'demo', spec, bundle: '/bundle', hierarchies });
  return JSON.parse(JSON.stringify(init)) as InitConfig;
}

const files = ['/usr/local/sbin/sh', '/proc/kcore', '/proc/keys', '/etc/passwd'];

const toBytes = (config: InitConfig): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(config));

function run(options: { config?: Uint8Array; packets?: Uint8Array[]; failAt?: number }): {
  calls: RecordedCall[];
  exitCode: number;
} {
  const sys = createRecordingSyscall({ packets: answers(), files, ...options });
  try {
    runChild(sys, fds);
  } catch (error) {
    if (!(error instanceof RecordedExit)) throw error;
    return { calls: sys.calls, exitCode: error.exitCode };
  }
}

/** What the child told its parent, without the questions of the handshake. */
function reportOf(calls: RecordedCall[]): Record<string, unknown> | undefined {
  const sent = calls
    .filter(({ name }) => name === 'sendPacket')
    .map(({ args }) => decodePacket(args[1] as Uint8Array))
    .filter(({ type }) => type === 'procError');
  expect(sent.length).toBeLessThanOrEqual(1);
  return sent[0] === undefined ? undefined : (JSON.parse(sent[0].arg!) as Record<string, unknown>);
}

/** The stage that each call of a run without failures belongs to. */
function stagesOfCalls(config: InitConfig): { stage: string; name: string }[] {
  const sys = createRecordingSyscall({
    config: toBytes(config),
    packets: answers(config.entering),
    files,
  });
  const owners: { stage: string; name: string }[] = [];
  const attribute = (stage: string): void => {
    for (const { name } of sys.calls.slice(owners.length)) owners.push({ stage, name });
  };
  const own = takeDescriptors(sys, fds);
  attribute('descriptors');
  sys.readAll(own.init, 'the init socket');
  sys.close(own.init);
  attribute('config');
  const state = { sys, config, fds: own, root: -1, enteredCwd: false };
  for (const stage of stages) {
    if (config.entering && stage.alsoOnEntering !== true) continue;
    stage.run(state);
    attribute(stage.name);
  }
  return owners;
}

/** One line for each stage; `name ×3` for three calls in a row. */
function outline(config: InitConfig): string {
  const lines: { stage: string; calls: { name: string; count: number }[] }[] = [];
  for (const { stage, name } of stagesOfCalls(config)) {
    let line = lines.at(-1);
    if (line?.stage !== stage) lines.push((line = { stage, calls: [] }));
    const last = line.calls.at(-1);
    if (last?.name === name) last.count++;
    else line.calls.push({ name, count: 1 });
  }
  const text = lines.map(({ stage, calls }) => {
    const names = calls.map(({ name, count }) => (count === 1 ? name : `${name} ×${count}`));
    return `${stage}: ${fold(names.join(', '))}`;
  });
  return `\n${text.join('\n')}\n`;
}

/** `(a, b) ×2` for `a, b, a, b`. */
function fold(names: string): string {
  return names.replaceAll(/((?:[^,]+, )+?[^,]+)(?:, \1)+(?=,|$)/g, (all: string, unit: string) =>
    unit.trim() === unit ? `(${unit}) ×${(all.length + 2) / (unit.length + 2)}` : all,
  );
}

const everything: InitConfig = {
  ...configFor((spec) => {
    spec.process.user = { uid: 1000, gid: 1000, additionalGids: [5], umask: 0o27 };
    spec.process.consoleSize = { height: 24, width: 80 };
    spec.process.oomScoreAdj = 100;
    spec.domainname = 'example';
    spec.linux!.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '8192' };
    spec.process.scheduler = { policy: 'SCHED_BATCH', nice: 5 };
    spec.process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 5 };
    spec.linux!.personality = { domain: 'LINUX32' };
    spec.linux!.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0' };
    spec.process.capabilities!.inheritable = ['CAP_KILL'];
    spec.process.capabilities!.ambient = ['CAP_KILL'];
    spec.hooks = {
      createContainer: [{ path: '/hook', env: ['A=1'], timeout: 3 }],
      startContainer: [{ path: '/hook', args: ['zero', 'one'] }],
    };
    spec.mounts!.push({
      destination: '/data',
      source: '/srv',
      options: ['rbind', 'ro', 'rnosuid', 'rprivate'],
    });
  }),
  // What depends on the host, or on options of the launch.
  activation: { count: 1, names: ['a'] },
  labels: { apparmor: 'profile', selinux: 'label' },
  netDevices: [
    {
      hostName: 'eth0',
      name: 'pl1',
      template: 'eth%d',
      addresses: [
        {
          family: 2,
          prefixLength: 8,
          local: '0a000001',
          address: '0a000001',
          broadcast: undefined,
          flags: 0,
        },
      ],
    },
  ],
};

/** Of a process that enters a container with a user namespace. */
function enteringConfig(): InitConfig {
  const spec = stockSpec();
  const { init } = planExec({
    id: 'demo',
    bundle: '/bundle',
    container: { id: 'demo', spec, namespaces: 0x7e02_0000, canSetGroups: true },
    process: {
      args: ['sh'],
      cwd: '/',
      env: ['PATH=/usr/local/sbin:/bin'],
      oomScoreAdj: 1,
      execCPUAffinity: { initial: '0', final: '0-1' },
    },
    launcher: { uid: 0, gid: 0 },
  });
  return JSON.parse(JSON.stringify(init)) as InitConfig;
}

/** Stands for a compiled one. */
const seccompFilter = 'BgAAAAAA/38=';

function filtered(noNewPrivileges: boolean, notify: boolean): InitConfig {
  const config = configFor((spec) => void (spec.process.terminal = false));
  return { ...config, noNewPrivileges, seccomp: { filter: seccompFilter, flags: 4, notify } };
}

const rootless = configFor((spec) => {
  spec.process.terminal = false;
  spec.linux!.namespaces!.push({ type: 'user' });
  const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  Object.assign(spec.linux!, { uidMappings: range, gidMappings: range });
});

describe('runChild', () => {
  it('runChild makes the calls of the stock bundle in this order', () => {
    const config = configFor((spec) => void (spec.process.terminal = false));
    expect(outline(config)).toMatchInlineSnapshot(`
      "
      descriptors: dupAbove ×7, dup3 ×7, closeRange
      config: readAll, close
      session: setsid, umask
      user namespace: setDumpable
      keyring: joinSessionKeyring
      cgroup namespace: unshare
      network: interfaceUp
      rootfs: mountSetattr, openat2, openTree, moveMount, close
      mounts: fsopen, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString ×3, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigFlag, (fsconfigString ×3, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen) ×2, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigFlag, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2
      devices: openat2, symlinkat ×5, mknodat ×6, close
      hooks: sendPacket, receivePacket
      pivot: openat2, fchdir, pivotRoot, fchdir, umount2, chdir, close ×2
      make working directory: openat2 ×2, close ×2
      streams: statx, openat2, statx, dup3, close, statx ×2, setBlocking ×3
      read-only root: mountSetattr
      hostname: sethostname
      read-only paths: (openat2, openTree, mountSetattr, moveMount, close ×2) ×5
      masked paths: openat2, statx, fsopen, fsconfigString, fsconfigFlag, fsconfigCreate, fsmount, close, moveMount, close, (openat2, statx, openTree, moveMount, close ×2, openat2, statx) ×2, (openTree, moveMount, close ×2, openat2, statx) ×6, openTree, moveMount, close ×4
      limits: prlimit
      ready: sendPacket, receivePacket
      working directory: chdir, getcwd
      credentials: dropBoundingCapability ×61, setKeepCapabilities, setgroups, setresgid, setresuid, setKeepCapabilities, capset, clearAmbientCapabilities, setNoNewPrivileges
      exec: openat2, statx, readStart, close, statx, access, umask, closeRange, resetSignals, execve
      "
    `);
  });

  it('runChild makes the calls of a bundle with a terminal and a user in this order', () => {
    expect(outline(everything)).toMatchInlineSnapshot(`
      "
      descriptors: dupAbove ×7, dup3 ×7, closeRange
      config: readAll, close
      session: setsid, umask, openat2, writeAll, close
      user namespace: setDumpable
      keyring: openat2, filesystemType, openat2 ×2, close, writeAll, close, joinSessionKeyring, openat2 ×2, close, writeAll, close ×2
      cgroup namespace: unshare
      network: interfaceUp, interfaceIndex, routeRequest ×3
      rootfs: mountSetattr, openat2, openTree, moveMount, close
      mounts: fsopen, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString ×3, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigFlag, (fsconfigString ×3, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen) ×2, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigFlag, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, fsopen, fsconfigString, fsconfigCreate, fsmount, close, openat2, moveMount, close ×2, openTree, mountSetattr ×2, statx, openat2, moveMount, close, mountSetattr, close
      devices: openat2, symlinkat ×5, mknodat ×6, close
      hooks: sendPacket, receivePacket
      createContainer: fchdir, umask, getpid, memoryFile, pipe, spawn, close ×2, pidfdOpen, monotonicMs ×2, pollSpawned, waitSpawned, readAvailable, close ×2, umask
      pivot: openat2, fchdir, pivotRoot, fchdir, umount2, chdir, close ×2
      make working directory: openat2 ×2, close ×2
      streams: openat2, statx, openPtyPeer, setWindowSize, openat2, createFile, close, openat2, openTree, moveMount, close ×3, sendFile, close ×2, dup3 ×3, close, setControllingTerminal
      read-only root: mountSetattr
      hostname: sethostname, setdomainname
      sysctl: openat2, filesystemType, openat2, writeAll, close, openat2, writeAll, close ×2
      security labels: openat2, filesystemType, openat2 ×2, close, writeAll, close, openat2 ×2, close, writeAll, close ×2
      read-only paths: (openat2, openTree, mountSetattr, moveMount, close ×2) ×5
      masked paths: openat2, statx, fsopen, fsconfigString, fsconfigFlag, fsconfigCreate, fsmount, close, moveMount, close, (openat2, statx, openTree, moveMount, close ×2, openat2, statx) ×2, (openTree, moveMount, close ×2, openat2, statx) ×6, openTree, moveMount, close ×4
      limits: prlimit
      scheduling: schedSetattr, ioprioSet, personality, setMempolicy
      ready: sendPacket, receivePacket
      working directory: chdir, getcwd
      credentials: statx ×2, fchown, statx, fchown, dropBoundingCapability ×61, setKeepCapabilities, setgroups, setresgid, setresuid, setKeepCapabilities, capset, clearAmbientCapabilities, raiseAmbientCapability, setNoNewPrivileges
      startContainer: umask, getpid, memoryFile, pipe, spawn, close ×2, pidfdOpen, pollSpawned, waitSpawned, readAvailable, close ×2
      exec: getpid, openat2, statx, readStart, close, statx, access, umask, closeRange, resetSignals, execve
      "
    `);
  });

  it('runChild makes these calls for a process that enters a container', () => {
    expect(outline(enteringConfig())).toMatchInlineSnapshot(`
      "
      descriptors: dupAbove ×7, dup3 ×7, closeRange
      config: readAll, close
      session: setsid, umask, openat2, writeAll, close
      namespaces: setgroups, setns
      user namespace: setgroups, setresgid, setresuid, setDumpable
      keyring: joinSessionKeyring
      streams: statx, openat2, statx, dup3, close, statx ×2, setBlocking ×3
      limits: prlimit
      cpu affinity: schedSetaffinity
      ready: sendPacket, receivePacket
      working directory: chdir, getcwd
      credentials: dropBoundingCapability ×61, setKeepCapabilities, setgroups, setresgid, setresuid, setKeepCapabilities, capset, clearAmbientCapabilities, setNoNewPrivileges
      exec: openat2, statx, readStart, close, statx, access, umask, closeRange, resetSignals, execve
      "
    `);
  });

  it('runChild runs the program as the last thing it does', () => {
    const { calls } = run({ config: toBytes(everything) });
    expect(calls.slice(-2).map(({ name }) => name)).toEqual(['execve', 'exit']);
    expect(calls.at(-2)?.args).toEqual([
      '/usr/local/sbin/sh',
      ['sh'],
      [...stockSpec().process.env!, 'LISTEN_FDS=1', 'LISTEN_PID=1', 'LISTEN_FDNAMES=a', 'HOME=/'],
    ]);
  });

  it.each<[when: string, seccomp: boolean, noNewPrivileges: boolean, next: string]>([
    ['directly before the program', false, true, 'execve'],
    ['before a filter that is loaded late', true, true, 'setSeccompFilter'],
    ['before a filter that is loaded early', true, false, 'setSeccompFilter'],
  ])(
    'runChild limits its memory %s, so that no garbage collection can run out of it before',
    (_, seccomp, noNewPrivileges, next) => {
      const { rlimits, ...config } = filtered(noNewPrivileges, false);
      const data = { type: 'RLIMIT_DATA', resource: 2, soft: '7', hard: '7' };
      const limited = { ...config, rlimits: [...rlimits, data] };
      if (!seccomp) limited.seccomp = undefined;
      const { calls } = run({ config: toBytes(limited) });
      const last = calls.findLastIndex(({ name }) => name === 'prlimit');
      expect(calls[last]?.args).toEqual([2, 7n, 7n]);
      expect(calls[last + 1]?.name).toBe(next);
    },
  );

  it('runChild loads a filter before the user changes, where new privileges are possible', () => {
    const lines = outline(filtered(false, false)).split('\n');
    const index = lines.findIndex((line) => line.startsWith('seccomp: '));
    expect(lines.slice(index - 1, index + 2)).toEqual([
      'ready: sendPacket, receivePacket',
      'seccomp: setSeccompFilter',
      'working directory: chdir, getcwd',
    ]);
  });

  it('runChild makes no call but execve under a filter, where no new privileges are possible', () => {
    const { calls } = run({ config: toBytes(filtered(true, false)) });
    expect(calls.slice(-4).map(({ name }) => name)).toEqual([
      'resetSignals',
      'setSeccompFilter',
      'execve',
      'exit',
    ]);
    expect(calls.at(-3)?.args).toEqual([Buffer.from(seccompFilter, 'base64'), 4]);
  });

  it.each([true, false])(
    'runChild hands over the listener, whether or not (%s) new privileges are possible',
    (noNewPrivileges) => {
      const config = toBytes(filtered(noNewPrivileges, true));
      const packets = [...answers(), encodePacket({ type: 'procSeccompDone', flags: 0 })];
      const { calls } = run({ config, packets });
      const loaded = calls.findIndex(({ name }) => name === 'setSeccompListener');
      const [filter, flags, sync, packet] = calls[loaded]!.args;
      expect([filter, flags]).toEqual([Buffer.from(seccompFilter, 'base64'), 4]);
      expect(sync).toBe(calls.find(({ name }) => name === 'sendPacket')?.args[0]);
      expect(new TextDecoder().decode(packet as Uint8Array)).toBe(
        '{"type":"procSeccomp","flags":0,"arg":0}',
      );
      expect(calls[loaded + 1]?.name).toBe('receivePacket');
      expect(calls.at(-2)?.name).toBe('execve');
      // Whoever cannot take the listener does not let the program run.
      const unanswered = run({ config });
      expect(reportOf(unanswered.calls)).toMatchObject({
        step: noNewPrivileges ? 'exec' : 'seccomp',
        message: expect.stringContaining('expected procSeccompDone in answer to procSeccomp'),
      });
      expect(unanswered.calls.map(({ name }) => name)).not.toContain('execve');
    },
  );

  const entering: InitConfig = enteringConfig();

  describe.each([
    ['a container to enter', entering],
    ['the stock bundle', configFor((spec) => void (spec.process.terminal = false))],
    ['a terminal, a user and a bind', everything],
    ['a filter loaded early', filtered(false, false)],
    ['a filter loaded late', filtered(true, false)],
    ['a user namespace', rootless],
  ])('runChild with %s', (_, config) => {
    const owners = stagesOfCalls(config);
    /** By call and stage: what a child can go on without. Everything else ends it. */
    const dispensable = new Set([
      // An unprivileged launcher has to keep its groups.
      'setgroups in namespaces',
      // A working directory that cannot be made: entering it says so.
      'openat2 in make working directory',
      'close in make working directory',
      // Bound from the host instead, where that has the device.
      'mknodat in devices',
      // Entered again as the user.
      'chdir in working directory',
      // Streams that cannot be given away still work.
      'fchown in credentials',
      // No passwd file, no home directory.
      'openat2 in exec',
      'statx in exec',
      'readStart in exec',
      'close in exec',
    ]);

    it.each(owners.map(({ stage, name }, failAt) => [failAt, name, stage] as const))(
      'runChild survives or reports a failure of call %i, %s in %s',
      (failAt, name, stage) => {
        const packets = answers(config.entering);
        const { calls, exitCode } = run({ config: toBytes(config), packets, failAt });
        const report = reportOf(calls);
        if (report === undefined) {
          ok(dispensable.has(`${name} in ${stage}`));
          strictEqual(calls.at(-2)?.name, 'execve');
          return;
        }
        expect(exitCode).toBe(FAILED_CHILD_EXIT);
        if (stage === 'exec' && (name === 'statx' || name === 'access')) {
          // The program was looked for in the rest of PATH.
          partialDeepStrictEqual(report, { step: 'exec', errnoCode: 'EACCES' });
          ok(calls.every((call) => call.name !== 'execve'));
          return;
        }
        if (name === 'setgroups') {
          // It was looked whether the namespace forbids it, which this /proc does not say.
          partialDeepStrictEqual(report, { step: stage, syscall: name, errnoCode: 'EPERM' });
          ok(calls.every((call) => call.name !== 'execve'));
          return;
        }
        if (stage === 'mounts' && name === 'openTree') {
          // The parent was asked instead, and the answers of this test are for other questions.
          partialDeepStrictEqual(report, { step: 'mounts' });
          ok(String(report['message']).includes('expected procMountFd'));
          return;
        }
        expect(report).toMatchObject({ step: stage, syscall: name, errno: -1, errnoCode: 'EPERM' });
        expect(report['message']).toMatch(/EPERM/);
        // Nothing but the report and the end; a hook must not live on.
        const rest = calls.slice(failAt + 1).map((call) => call.name);
        expect(rest.filter((call) => call !== 'killGroup')).toEqual(['sendPacket', 'exit']);
      },
    );
  });

  it('runChild ends when its parent is gone, and runs nothing', () => {
    const config = toBytes(everything);
    for (const packets of [[], answers().slice(0, 1)]) {
      const { calls, exitCode } = run({ config, packets });
      expect(exitCode).toBe(FAILED_CHILD_EXIT);
      expect(reportOf(calls)).toMatchObject({
        step: packets.length === 0 ? 'hooks' : 'ready',
        message: expect.stringContaining('the parent is gone'),
      });
      expect(calls.map(({ name }) => name)).not.toContain('execve');
    }
  });

  it('runChild refuses an answer that is not the one it asked for', () => {
    const packets = [encodePacket({ type: 'procRun', flags: 0 })];
    const { calls } = run({ config: toBytes(everything), packets });
    expect(reportOf(calls)).toMatchObject({
      step: 'hooks',
      message: expect.stringContaining(
        'expected procHooksDone in answer to procHooks, received procRun',
      ),
    });
    expect(calls.map(({ name }) => name)).not.toContain('pivotRoot');
  });

  it.each([
    ['nothing', new Uint8Array(), 'it sent no config'],
    ['half a config', toBytes(everything).subarray(0, 100), 'config: '],
  ])('runChild reports a config of %s', (_, config, reason) => {
    const { calls, exitCode } = run({ config });
    expect(reportOf(calls)).toMatchObject({
      step: 'config',
      message: expect.stringContaining(reason),
    });
    expect(exitCode).toBe(FAILED_CHILD_EXIT);
    expect(calls.at(-2)?.name).toBe('sendPacket');
  });

  it('runChild ends all the same when its report cannot be sent', () => {
    const sys = createRecordingSyscall({ config: new Uint8Array() });
    sys.sendPacket = () => {
      throw new Error('closed');
    };
    expect(() => runChild(sys, fds)).toThrow(new RecordedExit(FAILED_CHILD_EXIT));
  });
});
