// Attributes of the process and of the kernel, seen from inside; and what of the launching process,
// or of the one that forks, must not be seen there.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, type LaunchError, startZygote, type Zygote } from '@pilotlight/init';
import { openFd, socketpair } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import {
  type BusyboxBundle,
  type Change,
  missing,
  newId,
  runIn,
  shellSpec,
  textOf,
} from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const has = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, program)));

/** Field numbers as in proc_pid_stat(5). */
const stat = (field: number): string => `sed 's/.*) //' /proc/self/stat | cut -d' ' -f${field - 2}`;
const NICE = 19;
const RT_PRIORITY = 40;
const POLICY = 41;

/** Without a cgroup of its own: one of v1 has no time for real-time tasks until it is given some. */
const withoutCgroup: Change = (spec) => {
  const { namespaces } = spec.linux!;
  spec.linux!.namespaces = namespaces!.filter(({ type }) => type !== 'cgroup');
  spec.mounts = spec.mounts!.filter(({ type }) => type !== 'cgroup');
  delete spec.linux!.resources;
};

const failureOf = (attempt: Promise<unknown>): Promise<LaunchError> =>
  attempt.then(
    () => expect.unreachable('it was launched'),
    (error: unknown) => error as LaunchError,
  );

describe.skipIf(lacking !== '')(`attributes, from inside${lacking}`, () => {
  const bundle = useCleanBundle();

  describe('linux.sysctl', () => {
    const parameters = {
      'net.ipv4.ip_forward': '1',
      'net/ipv4/conf/lo/rp_filter': '2',
      'net.ipv4.ping_group_range': '0 1000',
      'kernel.msgmax': '12345',
      'kernel/shm_rmid_forced': '1',
      'kernel.sem': '100 3000 50 64',
      'fs.mqueue.msg_max': '7',
      'kernel.domainname': 'from.sysctl',
    };
    const script =
      'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/rp_filter net/ipv4/ping_group_range kernel/msgmax kernel/shm_rmid_forced kernel/sem fs/mqueue/msg_max kernel/domainname; echo 0 > net/ipv4/ip_forward || true';
    const expected = '1\n2\n0\t1000\n12345\n1\n100\t3000\t50\t64\n7\nfrom.sysctl\n';
    const host = ['net/ipv4/ip_forward', 'kernel/msgmax', 'kernel/domainname'];
    const hostValues = (): string[] =>
      host.map((path) => readFileSync(`/proc/sys/${path}`, 'utf8'));

    it('linux.sysctl is set in the container, before its /proc/sys is read-only, and not on the host', async () => {
      const before = hostValues();
      const { stdout, stderr } = await runIn(bundle, script, (spec) => {
        spec.linux!.sysctl = parameters;
      });
      expect(stdout).toBe(expected);
      expect(stderr).toMatch(/Read-only file system/);
      expect(hostValues()).toEqual(before);
    });

    it('linux.sysctl is set where the container’s /proc is read-only', async () => {
      const { stdout } = await runIn(bundle, script, (spec) => {
        spec.mounts!.find(({ destination }) => destination === '/proc')!.options = ['ro'];
        spec.linux!.sysctl = parameters;
      });
      expect(stdout).toBe(expected);
    });

    it('linux.sysctl is set where the container has no /proc at all', async () => {
      const outcome = await runIn(bundle, 'hostname; dnsdomainname; ls /proc', (spec) => {
        spec.mounts = spec.mounts!.filter(({ destination }) => destination !== '/proc');
        spec.linux!.maskedPaths = [];
        spec.linux!.readonlyPaths = [];
        spec.linux!.sysctl = { 'kernel.domainname': 'unseen' };
      });
      // Nothing is left of the procfs that it was written through.
      expect(outcome.stdout).not.toContain('self');
      expect(outcome.status.code).toBe(0);
    });

    it.each(['/proc/sys', '/proc/sys/net/ipv4/ip_forward'])(
      'linux.sysctl is not caught by what the configuration mounts on %s (CVE-2025-52881)',
      async (destination) => {
        const isFile = destination.endsWith('ip_forward');
        const trap = join(bundle.path, isFile ? 'trap-file' : 'trap');
        mkdirSync(join(bundle.path, 'trap/net/ipv4'), { recursive: true });
        const file = isFile ? trap : join(trap, 'net/ipv4/ip_forward');
        writeFileSync(file, 'trap\n');
        const attempt = runIn(bundle, 'cat /data/proc/sys/net/ipv4/ip_forward', (spec) => {
          spec.root.readonly = false;
          spec.mounts!.push(
            { destination, source: trap, options: ['bind'] },
            { destination: '/data/proc', type: 'proc', source: 'proc' },
          );
          spec.linux!.readonlyPaths = [];
          spec.linux!.sysctl = { 'net.ipv4.ip_forward': '1' };
        });
        // A mount inside /proc may be refused as such; if it is not, nothing is written through it.
        const seen = await attempt.then(
          ({ stdout }) => stdout,
          (error: unknown) => (error instanceof Error ? 'refused' : 'failed'),
        );
        expect(['1\n', 'refused']).toContain(seen);
        expect(readFileSync(file, 'utf8')).toBe('trap\n');
      },
    );

    it.each([
      ['net.ipv4.no_such_parameter', '1', 'ENOENT'],
      ['kernel.msgmax', 'many', 'EINVAL'],
    ])('linux.sysctl %s=%s fails with %3$s, by name', async (name, value, errnoCode) => {
      const failure = await failureOf(
        runIn(bundle, 'true', (spec) => void (spec.linux!.sysctl = { [name]: value })),
      );
      expect(failure).toMatchObject({ step: 'sysctl', errnoCode, index: 0 });
      expect(failure.message).toContain(`set sysctl ${name}`);
      expect(failure.hint).toMatch(/kernel/);
    });

    it.skipIf(!has('runc'))('linux.sysctl shows inside what it shows under runc', async () => {
      const change: Change = (spec) => void (spec.linux!.sysctl = parameters);
      const own = await runIn(bundle, script, change);
      expect((await runUnder('runc', bundle, script, change)).stdout).toBe(own.stdout);
    });
  });

  describe('process.scheduler', () => {
    const script = `${stat(NICE)}; ${stat(RT_PRIORITY)}; ${stat(POLICY)}`;
    const reset = 'SCHED_FLAG_RESET_ON_FORK' as const;
    it.each([
      [{ policy: 'SCHED_OTHER', nice: 7 }, '7 0 0'],
      [{ policy: 'SCHED_OTHER', nice: -7 }, '-7 0 0'],
      [{ policy: 'SCHED_BATCH', nice: 3 }, '3 0 3'],
      [{ policy: 'SCHED_IDLE' }, '0 0 5'],
      [{ policy: 'SCHED_FIFO', priority: 11 }, '0 11 1'],
      [{ policy: 'SCHED_RR', priority: 99 }, '0 99 2'],
      [
        // Pid 1 has it; what it starts does not.
        { policy: 'SCHED_FIFO', priority: 11, flags: [reset] },
        '0 0 0',
      ],
    ] as const)('process.scheduler %o reaches the program', async (scheduler, expected) => {
      const { stdout } = await runIn(bundle, script, (spec) => {
        withoutCgroup(spec);
        spec.process.scheduler = { ...scheduler, flags: 'flags' in scheduler ? [reset] : [] };
      });
      expect(stdout.trim().replaceAll('\n', ' ')).toBe(expected);
    });

    it('process.scheduler gives a deadline, exactly', async () => {
      const { stdout } = await runIn(bundle, '', (spec) => {
        // The shell could not fork: a task with a deadline may not.
        spec.process.args = ['grep', '-E', '^(policy|dl.runtime|dl.deadline)', '/proc/self/sched'];
        const ms = 1_000_000;
        spec.process.scheduler = {
          policy: 'SCHED_DEADLINE',
          runtime: 10 * ms,
          deadline: 30 * ms,
          period: 100 * ms,
        };
      });
      expect(stdout).toMatch(/^policy +: +6$/m);
    });

    it('process.scheduler that the kernel refuses is a failure of its stage', async () => {
      const failure = await failureOf(
        runIn(bundle, 'true', (spec) => {
          // More than all the time there is.
          const second = 1_000_000_000;
          const hour = 3600 * second;
          const scheduler = { runtime: hour, deadline: hour, period: hour };
          spec.process.scheduler = { policy: 'SCHED_DEADLINE', ...scheduler };
        }),
      );
      expect(failure).toMatchObject({ step: 'scheduling', syscall: 'sched_setattr' });
      expect(failure.hint).toBeTruthy();
    });
  });

  it.each([
    ['IOPRIO_CLASS_BE', 1, 'best-effort: prio 1'],
    ['IOPRIO_CLASS_RT', 7, 'realtime: prio 7'],
    ['IOPRIO_CLASS_IDLE', 0, 'idle'],
  ] as const)('process.ioPriority %s %i reaches the program', async (name, priority, expected) => {
    const { stdout } = await runIn(bundle, 'ionice -p $$', (spec) => {
      spec.process.ioPriority = { class: name, priority };
    });
    expect(stdout).toContain(expected);
  });

  it('linux.personality LINUX32 shows a 32-bit machine, LINUX the real one', async () => {
    const machines: string[] = [];
    for (const domain of ['LINUX', 'LINUX32'] as const) {
      const { stdout } = await runIn(bundle, 'uname -m', (spec) => {
        spec.linux!.personality = { domain };
      });
      machines.push(stdout.trim());
    }
    expect(machines).toEqual(process.arch === 'arm64' ? ['aarch64', 'armv8l'] : ['x86_64', 'i686']);
  });

  it.skipIf(!existsSync('/proc/self/numa_maps'))(
    'linux.memoryPolicy reaches the program (needs CONFIG_NUMA)',
    async () => {
      const policies = async (change: Change): Promise<string[]> => {
        const { stdout } = await runIn(bundle, '', (spec) => {
          spec.process.args = ['cut', '-d', ' ', '-f2', '/proc/self/numa_maps'];
          change(spec);
        });
        return [...new Set(stdout.trim().split('\n'))];
      };
      expect(await policies(() => {})).toEqual(['default']);
      expect(
        await policies(
          (spec) => void (spec.linux!.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0' }),
        ),
      ).toEqual(['bind:0']);
      expect(
        await policies((spec) => {
          const flags = ['MPOL_F_STATIC_NODES' as const];
          spec.linux!.memoryPolicy = { mode: 'MPOL_INTERLEAVE', nodes: '0', flags };
        }),
      ).toEqual(['interleave=static:0']);
      const failure = await failureOf(
        runIn(bundle, 'true', (spec) => {
          spec.linux!.memoryPolicy = { mode: 'MPOL_BIND', nodes: '1023' };
        }),
      );
      expect(failure).toMatchObject({ step: 'scheduling', syscall: 'set_mempolicy' });
    },
  );

  it('process.execCPUAffinity is for later processes, not for the first', async () => {
    const { stdout } = await runIn(bundle, 'grep Cpus_allowed_list /proc/self/status', (spec) => {
      spec.process.execCPUAffinity = { initial: '0', final: '0' };
    });
    expect(stdout.split('\t')[1]).toBe(
      /Cpus_allowed_list:\t(.*\n)/.exec(readFileSync('/proc/1/status', 'utf8'))?.[1],
    );
  });

  describe('the session keyring', () => {
    const keys: Change = (spec) => void (spec.linux!.maskedPaths = []);

    it('newKeyring: false leaves the launching process’s keyring in place', async () => {
      const showsOwn = async (newKeyring: boolean): Promise<boolean> => {
        const id = newId();
        const process = await launch(
          { id, spec: shellSpec('grep keyring /proc/keys', keys), bundle: bundle.path },
          { stdio: ['ignore', 'pipe', 'inherit'], newKeyring },
        );
        const [stdout] = await Promise.all([textOf(process.stdout), process.exited]);
        return stdout.includes(`_ses.${id}`);
      };
      expect([await showsOwn(true), await showsOwn(false)]).toEqual([true, false]);
    });
  });

  describe('descriptors that the program keeps', () => {
    it('preserveFds and listenFds are 3 and up in order, usable, and nothing else is open', async () => {
      const file = join(bundle.path, 'kept');
      writeFileSync(file, 'read me\n');
      const [ours, theirs] = socketpair('stream');
      using socket = theirs;
      using mine = ours;
      using readable = openFd(file, 0);
      const out = join(bundle.path, 'out');
      writeFileSync(out, '');
      using writable = openFd(out, 1);
      const { stdout, stderr } = await runIn(
        bundle,
        'echo written >&5; cat <&4; echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES; exec ls /proc/self/fd',
        undefined,
        { listenFds: [socket], listenFdNames: ['http'], preserveFds: [readable, writable] },
      );
      expect(stderr).toBe('');
      // The last is the directory that ls reads.
      expect(stdout).toBe('read me\n1 1 1 http\n0\n1\n2\n3\n4\n5\n6\n');
      expect(readFileSync(out, 'utf8')).toBe('written\n');
      expect(mine.fd).toBeGreaterThan(2);
    });

    it('listenFds has the pid of the namespace that the program is in', async () => {
      using file = openFd('/dev/null', 0);
      const { stdout } = await runIn(
        bundle,
        'test $LISTEN_PID = $$ && echo same; echo "[$LISTEN_FDNAMES]"',
        (spec) => {
          spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'pid');
          spec.process.env!.push('LISTEN_PID=1', 'LISTEN_FDNAMES=wrong');
        },
        { listenFds: [file] },
      );
      expect(stdout).toBe('same\n[]\n');
    });

    it('200 descriptors arrive, and too many are refused before anything is done', async () => {
      const many = (count: number) => Array.from({ length: count }, () => openFd('/dev/null', 0));
      const fds = many(239);
      try {
        const { stdout } = await runIn(bundle, 'ls /proc/self/fd | wc -l', undefined, {
          preserveFds: fds.slice(0, 238),
        });
        // The streams, those, and the directory.
        expect(stdout.trim()).toBe('242');
        await expect(runIn(bundle, 'true', undefined, { preserveFds: fds })).rejects.toMatchObject({
          code: 'ERR_INIT_INVALID_CONFIG',
          message: expect.stringContaining('239 descriptors are more than the 238'),
        });
      } finally {
        for (const fd of fds) fd.close();
      }
    });

    it('a terminal comes beside them', async () => {
      // Without one of ours among them the numbers would shift.
      using file = openFd('/dev/null', 0);
      const { stdout } = await runIn(bundle, 'readlink /proc/self/fd/3', undefined, {
        preserveFds: [file],
      });
      expect(stdout).toBe('/dev/null\n');
    });
  });

  describe('what is not configured', () => {
    /** Everything that a child inherits unless somebody resets it. */
    const inventory = [
      stat(NICE),
      stat(RT_PRIORITY),
      stat(POLICY),
      'cat /proc/self/timerslack_ns /proc/self/coredump_filter /proc/self/oom_score_adj',
      'grep -E "^(Cpus_allowed_list|THP_enabled|CapInh|CapAmb|Seccomp|NoNewPrivs)" /proc/self/status',
      'grep -v "open files" /proc/self/limits',
      'ionice',
    ].join('; ');
    const unset: Change = (spec) => {
      delete spec.process.rlimits;
      spec.process.noNewPrivileges = false;
    };

    it('a program has the limits and attributes of the launching process', async () => {
      const { stdout } = await runIn(bundle, inventory, unset);
      const here = execFileSync(join(bundle.rootfs, 'bin/busybox'), ['sh', '-c', inventory], {
        encoding: 'utf8',
        env: { PATH: join(bundle.rootfs, 'bin') },
      });
      expect(stdout).toBe(here);
    });

    /** A zygote that was itself started by `command`, the last words of a shell script. */
    async function zygoteUnder(command: string): Promise<Zygote> {
      const node = join(bundle.path, 'node');
      writeFileSync(node, `#!/bin/sh\n${command} ${process.execPath} "$@"\n`);
      chmodSync(node, 0o755);
      // A script has no binary to protect.
      return startZygote({ nodePath: node, readOnlyBinary: false });
    }

    it.skipIf(!has('choom') || !has('ionice'))(
      'a program has what the launcher has set for itself (needs choom, ionice)',
      async () => {
        const settings = [
          'echo 100000 > /proc/$$/timerslack_ns',
          'echo 0x7f > /proc/$$/coredump_filter',
          'ulimit -s 4096',
          'ulimit -c 1000',
          'exec choom -n 50 -- nice -n 3 ionice -c 2 -n 1',
        ].join('; ');
        const zygote = await zygoteUnder(settings);
        const { stdout } = await runIn(bundle, inventory, unset, { zygote });
        await zygote.close();
        const script = `${settings} ${join(bundle.rootfs, 'bin/busybox')} sh -c "$0"`;
        const there = execFileSync('sh', ['-c', script, inventory], {
          encoding: 'utf8',
          env: { PATH: `${join(bundle.rootfs, 'bin')}:/usr/bin:/bin` },
        });
        expect(stdout).toBe(there);
        expect(stdout).toMatch(/^3\n0\n0\n100000\n0000007f\n50\n/);
      },
    );

    it.skipIf(!has('taskset'))(
      'a launcher that is pinned to one CPU does not pin the program (needs taskset)',
      async () => {
        const zygote = await zygoteUnder('exec taskset 1');
        const script = 'grep Cpus_allowed_list /proc/self/status';
        const pinned = await runIn(bundle, script, undefined, { zygote });
        const free = await runIn(bundle, script);
        await zygote.close();
        expect(pinned.stdout).toBe(free.stdout);
      },
    );

    it.skipIf(!has('setpriv'))(
      'capabilities that the launcher has inheritable or ambient do not reach the program (CVE-2022-29162) (needs setpriv)',
      async () => {
        const zygote = await zygoteUnder(
          'exec setpriv --inh-caps +kill,+chown --ambient-caps +kill',
        );
        const { stdout } = await runIn(
          bundle,
          'grep -E "^Cap(Inh|Amb)" /proc/self/status',
          (spec) => void (spec.process.user = { uid: 1000, gid: 1000 }),
          { zygote },
        );
        await zygote.close();
        expect(stdout.match(/0000000000000000/g)).toHaveLength(2);
      },
    );

    it('process.rlimits sets every limit there is, exactly', async () => {
      const names = {
        RLIMIT_CPU: 'cpu time',
        RLIMIT_FSIZE: 'file size',
        RLIMIT_DATA: 'data size',
        RLIMIT_STACK: 'stack size',
        RLIMIT_CORE: 'core file size',
        RLIMIT_RSS: 'resident set',
        RLIMIT_NPROC: 'processes',
        RLIMIT_NOFILE: 'open files',
        RLIMIT_MEMLOCK: 'locked memory',
        RLIMIT_AS: 'address space',
        RLIMIT_LOCKS: 'file locks',
        RLIMIT_SIGPENDING: 'pending signals',
        RLIMIT_MSGQUEUE: 'msgqueue size',
        RLIMIT_NICE: 'nice priority',
        RLIMIT_RTPRIO: 'realtime priority',
        RLIMIT_RTTIME: 'realtime timeout',
      };
      const here = readFileSync('/proc/self/limits', 'utf8');
      const rlimits = Object.entries(names).map(([type, name], index) => {
        const [, most = ''] = new RegExp(`^Max ${name} +\\S+ +(\\S+)`, 'm').exec(here) ?? [];
        // Raising a hard limit is a right that root may have lost.
        const hard = most === 'unlimited' ? 1_000_000_000_000 + index : Number(most);
        return { type, soft: Math.max(hard - 1, 0), hard };
      });
      const change: Change = (spec) => void (spec.process.rlimits = rlimits);
      const { stdout } = await runIn(bundle, 'cat /proc/self/limits', change);
      for (const { type, soft, hard } of rlimits) {
        const name = names[type as keyof typeof names];
        expect(stdout).toMatch(new RegExp(`^Max ${name} +${soft} +${hard} `, 'm'));
      }
      if (!has('runc')) return;
      expect((await runUnder('runc', bundle, 'cat /proc/self/limits', change)).stdout).toBe(stdout);
    });

    it('process.noNewPrivileges holds for a program with file capabilities, whoever it runs as', async () => {
      const script = 'grep -E "^(NoNewPrivs|Uid)" /proc/self/status';
      for (const noNewPrivileges of [true, false]) {
        const { stdout } = await runIn(bundle, script, (spec) => {
          spec.process.user = { uid: 1000, gid: 1000 };
          spec.process.noNewPrivileges = noNewPrivileges;
        });
        expect(stdout).toContain(`NoNewPrivs:\t${noNewPrivileges ? 1 : 0}`);
        expect(stdout).toContain('Uid:\t1000');
      }
    });
  });

  it.skipIf(!has('crun'))(
    'linux.personality and linux.sysctl show inside what they show under crun (needs crun)',
    async () => {
      const script = 'uname -m; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax';
      const change: Change = (spec) => {
        withoutCgroup(spec);
        spec.linux!.personality = { domain: 'LINUX32', flags: [] };
        spec.linux!.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '1234' };
      };
      const own = await runIn(bundle, script, change);
      expect(own.stdout).toMatch(/\n1\n1234\n$/);
      expect(await runUnder('crun', bundle, script, change)).toEqual({
        code: 0,
        stdout: own.stdout,
      });
    },
  );

  const elsewhere: [field: string, sign: string, hint: string, change: Change][] = [
    [
      'process.apparmorProfile',
      '/sys/module/apparmor',
      'apparmor in lsm=',
      (spec) => void (spec.process.apparmorProfile = 'x'),
    ],
    [
      'process.selinuxLabel',
      '/sys/fs/selinux/enforce',
      'selinux in lsm=',
      (spec) => void (spec.process.selinuxLabel = 'a:b:c:s0'),
    ],
    [
      'linux.mountLabel',
      '/sys/fs/selinux/enforce',
      'selinux in lsm=',
      (spec) => void (spec.linux!.mountLabel = 'a:b:c:s0'),
    ],
    [
      'linux.intelRdt',
      '/sys/fs/resctrl/schemata',
      'mount -t resctrl',
      (spec) => void (spec.linux!.intelRdt = {}),
    ],
  ];
  for (const [field, sign, hint, change] of elsewhere) {
    it.skipIf(existsSync(sign))(
      `${field} is refused by a host that cannot honour it (needs a host without ${sign})`,
      async () => {
        await expect(runIn(bundle, 'true', change)).rejects.toMatchObject({
          code: 'ERR_INIT_UNSUPPORTED_CONFIG',
          field,
          hint: expect.stringContaining(hint),
        });
      },
    );
  }
});

/** Exit status and output of the same specification under another runtime. */
function runUnder(
  runtime: 'runc' | 'crun',
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
): Promise<{ code: number; stdout: string }> {
  const spec = shellSpec(script, change);
  writeFileSync(
    join(bundle.path, 'config.json'),
    JSON.stringify(spec, (_, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    ),
  );
  const args = ['--root', join(bundle.path, 'state'), 'run', '--bundle', bundle.path, newId()];
  // crun does not work beside cgroups of both versions, and raises a limit to make its own.
  const v2Alone = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';
  const crun = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    v2Alone,
    'sh',
    'crun',
    '--cgroup-manager=disabled',
  ];
  const [command = '', ...before] = runtime === 'runc' ? ['runc'] : crun;
  return new Promise((resolve) => {
    const child = execFile(command, [...before, ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, stdout: code === 0 ? stdout : `${stdout}${stderr}` });
    });
    child.stdin?.end();
  });
}
