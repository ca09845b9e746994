// Filters of system calls, looked at from inside, and beside runc.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLaunchError, launch, type OciSeccomp, type OciSeccompRule } from '@pilotlight/init';
import { stringifyExactJson } from '@pilotlight/sync';
import { beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, runIn, shellSpec } from './init-bundle.ts';
import { runUnderRunc } from './run-under.ts';
import { startAgent } from './seccomp-agent.ts';

const lacking = missing('root', 'busybox-static', 'libseccomp2');
const lackingRunc = missing('root', 'busybox-static', 'libseccomp2', 'runc');
const lackingGcc = missing('root', 'busybox-static', 'libseccomp2', 'runc', 'gcc');

const SIGSYS = 31;
const EAGAIN = 11;
const ENOTTY = 25;
const ENOSYS = 38;
const seccompOf = (filter: OciSeccomp): Change => {
  return (spec) => void (spec.linux!.seccomp = filter);
};
const both = (...changes: Change[]): Change => {
  return (spec) => changes.forEach((change) => change(spec));
};
const withNewPrivileges: Change = (spec) => void (spec.process.noNewPrivileges = false);

const allowAllBut = (...syscalls: OciSeccompRule[]): OciSeccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'].filter((name) =>
    name.endsWith(process.arch === 'arm64' ? 'AARCH64' : 'X86_64'),
  ),
  syscalls,
});

/** What a program that runs in a container usually needs, and what we, runc and busybox do: all else is EPERM. */
const containerProfile: OciSeccomp = {
  ...allowAllBut(
    {
      names: `
      accept accept4 access arch_prctl bind brk capget capset chdir chmod chown clock_gettime
      clock_nanosleep close close_range connect copy_file_range dup dup2 dup3 epoll_create1
      epoll_ctl epoll_pwait epoll_wait eventfd2 execve execveat exit exit_group faccessat
      faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync flock
      fork fstat fstatfs fsync ftruncate futex getcwd getdents getdents64 getegid geteuid getgid
      getgroups getpeername getpgid getpgrp getpid getppid getrandom getresgid getresuid getrlimit
      getsockname getsockopt gettid gettimeofday getuid ioctl kill link linkat listen lseek lstat
      madvise membarrier mkdir mkdirat mmap mprotect mremap munmap nanosleep newfstatat open
      openat openat2 pause pipe pipe2 poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64
      read readlink readlinkat readv recvfrom recvmsg rename renameat renameat2 restart_syscall
      rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
      rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_yield select sendfile sendmsg sendto
      set_robust_list set_tid_address setgid setgroups setitimer setpgid setresgid setresuid
      setrlimit setsid setsockopt setuid shutdown sigaltstack socket socketpair stat statfs statx
      symlink symlinkat tgkill time times tkill truncate umask uname unlink unlinkat utime
      utimensat vfork wait4 waitid write writev not_a_call
    `
        .trim()
        .split(/\s+/),
      action: 'SCMP_ACT_ALLOW',
    },
    {
      names: ['personality'],
      action: 'SCMP_ACT_ALLOW',
      args: [
        { index: 0, value: 0, op: 'SCMP_CMP_EQ' },
        { index: 0, value: 8, op: 'SCMP_CMP_EQ' },
        { index: 0, value: 0xffff_ffff, op: 'SCMP_CMP_EQ' },
      ],
    },
    {
      // Threads and processes, no namespaces.
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 0x7e02_0000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ),
  defaultAction: 'SCMP_ACT_ERRNO',
};

/** The profile, what to run under it, and what it prints there. */
const profiles: [name: string, filter: OciSeccomp, script: string, expected: string][] = [
  [
    'an errno of its own',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOTTY }),
    'mkdir /dev/shm/x 2>&1; echo end',
    "mkdir: can't create directory '/dev/shm/x': Inappropriate ioctl for device\nend\n",
  ],
  [
    'the errno of refusal',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }),
    'mkdir /dev/shm/x 2>&1; echo end',
    "mkdir: can't create directory '/dev/shm/x': Operation not permitted\nend\n",
  ],
  [
    'a log entry',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_LOG' }),
    'mkdir /dev/shm/x && echo made',
    'made\n',
  ],
  [
    'a trap',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_TRAP' }),
    '(mkdir /dev/shm/x) 2>/dev/null; echo $?',
    `${128 + SIGSYS}\n`,
  ],
  [
    'the end of a thread',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL' }),
    '(mkdir /dev/shm/x) 2>/dev/null; echo $?',
    `${128 + SIGSYS}\n`,
  ],
  [
    'no tracer',
    allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_TRACE', errnoRet: 7 }),
    'mkdir /dev/shm/x 2>&1; echo end',
    "mkdir: can't create directory '/dev/shm/x': Function not implemented\nend\n",
  ],
  [
    'one value of an argument',
    allowAllBut({
      names: ['kill'],
      action: 'SCMP_ACT_ERRNO',
      args: [{ index: 1, value: 10, op: 'SCMP_CMP_EQ' }],
    }),
    'trap "echo usr2" USR2; kill -0 $$ && echo asked; kill -USR1 $$ 2>&1; kill -USR2 $$; true',
    "asked\nsh: can't kill pid 1: Operation not permitted\nusr2\n",
  ],
  [
    'bits of an argument',
    allowAllBut({
      names: ['chmod', 'fchmodat'],
      action: 'SCMP_ACT_ERRNO',
      args: [
        {
          index: process.arch === 'arm64' ? 2 : 1,
          value: 0o6000,
          valueTwo: 0o4000,
          op: 'SCMP_CMP_MASKED_EQ',
        },
      ],
    }),
    'cd /dev/shm; touch x; for m in 755 4755 2755 6755; do chmod $m x 2>/dev/null && echo $m; done; true',
    '755\n2755\n6755\n',
  ],
  [
    'what most containers have',
    containerProfile,
    [
      'mkdir /dev/shm/a && cd /dev/shm/a && echo 1 > f && cat f | sed s/1/2/',
      'ls -l /bin | wc -l | grep -c .',
      'sleep 0.01; id -u; date +%s | grep -c .; (exit 3); echo $?',
      'unshare -n true 2>&1',
      'mount -t tmpfs x /dev/shm 2>&1',
    ].join('; '),
    '2\n1\n0\n1\n3\nunshare: unshare(0x40000000): Operation not permitted\nmount: permission denied (are you root?)\n',
  ],
];

/** More than enough to be refused by the filter alone. */
const asRoot: Change = (spec) => {
  const sets = ['CAP_SYS_ADMIN', 'CAP_KILL', 'CAP_FOWNER', 'CAP_FSETID'];
  spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
};

describe.skipIf(lacking !== '')(`launch with seccomp${lacking}`, () => {
  const bundle = useCleanBundle();

  it.each(profiles)(
    'launch keeps a profile with %s, loaded late or early',
    async (_, filter, script, expected) => {
      for (const change of [asRoot, both(asRoot, withNewPrivileges)]) {
        const { stdout } = await runIn(bundle, script, both(change, seccompOf(filter)));
        expect(stdout).toBe(expected);
      }
    },
  );

  it.each([true, false])(
    'launch loads one filter where noNewPrivileges is %s, also for a user without rights',
    async (noNewPrivileges) => {
      const { stdout } = await runIn(
        bundle,
        'grep -E "^(NoNewPrivs|Seccomp)" /proc/self/status; id -u',
        both(seccompOf(containerProfile), ({ process }) => {
          process.noNewPrivileges = noNewPrivileges;
          process.user = { uid: 1000, gid: 1000 };
          delete process.capabilities;
        }),
      );
      expect(stdout).toBe(
        `NoNewPrivs:\t${noNewPrivileges ? 1 : 0}\nSeccomp:\t2\nSeccomp_filters:\t1\n1000\n`,
      );
    },
  );

  it('launch loads none without a profile, and loads no library for it', async () => {
    const { stdout } = await runIn(bundle, 'grep ^Seccomp: /proc/self/status');
    const own = /^Seccomp:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'))![0];
    expect(stdout).toBe(`${own}\n`);
    const program = `
      import { readFileSync } from 'node:fs';
      import { hostRootSpec, launch } from ${JSON.stringify(import.meta.resolve('@pilotlight/init'))};
      const maps = () => readFileSync('/proc/self/maps', 'latin1').includes('libseccomp');
      const seen = [];
      for (const seccomp of [undefined, { defaultAction: 'SCMP_ACT_ALLOW' }]) {
        const spec = hostRootSpec({ args: ['true'] });
        spec.linux.seccomp = seccomp;
        const launched = await launch({ id: 'seccomp-' + process.pid, spec, bundle: '/' });
        seen.push((await launched.exited).code, maps());
      }
      console.log(JSON.stringify(seen));`;
    const output = execFileSync(
      process.execPath,
      ['--conditions=@pilotlight/source', '--input-type=module', '--eval', program],
      { encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual([0, false, 0, true]);
  });

  it('launch reports SIGSYS of a program that is killed', async () => {
    const filter = allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL_PROCESS' });
    const { status } = await runIn(bundle, '', (spec) => {
      spec.process.args = ['mkdir', '/dev/shm/x'];
      spec.linux!.seccomp = filter;
    });
    expect(status).toMatchObject({ code: null, signal: SIGSYS });
  });

  it('launch takes every flag that this kernel has', async () => {
    const { status } = await runIn(
      bundle,
      'true',
      seccompOf({
        ...containerProfile,
        flags: [
          'SECCOMP_FILTER_FLAG_TSYNC',
          'SECCOMP_FILTER_FLAG_LOG',
          'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
          'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
        ],
      }),
    );
    expect(status.code).toBe(0);
  });

  it('launch says that execve itself is refused, and leaves nothing behind', async () => {
    const filter = allowAllBut({ names: ['execve'], action: 'SCMP_ACT_ERRNO' });
    const failure = await runIn(bundle, 'true', seccompOf(filter)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      step: 'exec',
      syscall: 'execve',
      errnoCode: 'EPERM',
      hint: 'The seccomp profile must allow execve.',
    });
  });

  it('launch reports a wrong program under a filter that was loaded early', async () => {
    const failure = await runIn(
      bundle,
      '',
      both(seccompOf(containerProfile), withNewPrivileges, (spec) => {
        spec.process.args = ['/bin/nope'];
      }),
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ step: 'exec', errnoCode: 'ENOENT', path: '/bin/nope' });
  });

  describe.each([
    ['late', () => undefined],
    ['early', withNewPrivileges],
  ] as [string, Change][])('with a listener of a filter loaded %s', (_, when) => {
    const notifying = (listenerPath: string): OciSeccomp => ({
      ...allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }),
      flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
      listenerPath,
      listenerMetadata: 'meta <&> x',
    });

    it('launch hands the listener to the agent, which decides', async () => {
      const path = join(bundle.path, 'agent.sock');
      await using agent = startAgent(path, ({ args }) =>
        // The mode that was asked for tells the calls apart.
        [...args].includes(0o700n) ? -EAGAIN : 'continue',
      );
      const spec = shellSpec(
        'mkdir /dev/shm/a && echo made; (umask 0; mkdir -p -m 700 /dev/shm/b); mkdir /dev/shm/c && ls -d /dev/shm/?',
        both(seccompOf(notifying('agent.sock')), when),
      );
      spec.annotations = { b: '2', a: '1' };
      const id = newId();
      const launched = await launch(
        { id, spec, bundle: bundle.path },
        { stdio: ['ignore', 'pipe', 'pipe'] },
      );
      let stdout = '';
      for await (const part of launched.stdout!) stdout += String(part);
      await launched.exited;
      expect(stdout.startsWith('made\n')).toBe(true);
      expect(stdout).toContain('/dev/shm/a\n');
      expect(agent.notifications.length).toBeGreaterThanOrEqual(3);
      // The state exactly as runc sends it.
      await expect.poll(() => agent.states).toHaveLength(1);
      expect(agent.states).toEqual([
        stringifyExactJson({
          ociVersion: spec.ociVersion,
          fds: ['seccompFd'],
          pid: launched.pid,
          metadata: 'meta <&> x',
          state: {
            ociVersion: spec.ociVersion,
            id,
            status: 'creating',
            pid: launched.pid,
            bundle: bundle.path,
            annotations: { a: '1', b: '2' },
          },
        }),
      ]);
    });

    it('launch goes on when the agent has to decide about what the child needs itself', async () => {
      const path = join(bundle.path, 'agent.sock');
      await using agent = startAgent(path, () => 'continue');
      const filter: OciSeccomp = {
        ...notifying(path),
        syscalls: [
          {
            names: ['execve', 'read', 'close', 'fcntl', 'chdir', 'setresuid', 'mmap', 'recvfrom'],
            action: 'SCMP_ACT_NOTIFY',
          },
        ],
      };
      const { stdout } = await runIn(
        bundle,
        'cd /dev/shm; echo $(cat /etc/passwd | wc -l)',
        both(seccompOf(filter), when),
      );
      expect(stdout).toBe('2\n');
      expect(agent.notifications.length).toBeGreaterThan(3);
    });

    it('launch fails where no agent listens, and leaves nothing behind', async () => {
      const path = join(bundle.path, 'nobody.sock');
      const failure = await runIn(
        bundle,
        'sleep 1000',
        both(seccompOf(notifying(path)), when),
      ).catch((error: unknown) => error);
      expect(isLaunchError(failure)).toBe(true);
      expect(failure).toMatchObject({ step: 'seccomp', path, errnoCode: 'ENOENT' });
    });
  });

  it('launch refuses to notify about write before anything is done', async () => {
    const filter: OciSeccomp = {
      ...allowAllBut({ names: ['write'], action: 'SCMP_ACT_NOTIFY' }),
      listenerPath: '/nowhere',
    };
    await expect(runIn(bundle, 'true', seccompOf(filter))).rejects.toMatchObject({
      code: 'ERR_INIT_INVALID_CONFIG',
      field: 'linux.seccomp.syscalls[0]',
    });
  });
});

type Outcome = { code: number; stdout: string };

describe.skipIf(lackingRunc !== '')(`launch with seccomp beside runc${lackingRunc}`, () => {
  const bundle = useCleanBundle();

  it.each(profiles)(
    'launch and runc run the same under a profile with %s',
    async (_, filter, script) => {
      for (const when of [asRoot, both(asRoot, withNewPrivileges)]) {
        const change = both(when, seccompOf(filter));
        expect(await ours(bundle.path, script, change)).toEqual(
          await runcs(bundle.path, script, change),
        );
      }
    },
  );

  it('launch and runc tell an agent the same', async () => {
    const path = join(bundle.path, 'agent.sock');
    const filter: OciSeccomp = {
      ...allowAllBut({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }),
      listenerPath: path,
      listenerMetadata: 'meta-x',
    };
    const told: string[] = [];
    for (const run of [ours, runcs]) {
      await using agent = startAgent(path, () => -EAGAIN);
      const { stdout } = await run(
        bundle.path,
        'mkdir /dev/shm/x 2>&1',
        both(seccompOf(filter), (spec) => {
          spec.annotations = { z: '<&>', 'a.b': 'ü', Z: '1' };
        }),
      );
      expect(stdout).toContain('Resource temporarily unavailable');
      await expect.poll(() => agent.states).toHaveLength(1);
      told.push(agent.states[0]!);
    }
    // The version is that of the configuration, and that of runc.
    const plain = (text: string): string =>
      text
        .replaceAll(/"pid":\d+/g, '"pid":0')
        .replaceAll(/"id":"[^"]+"/g, '"id":"x"')
        .replaceAll(/"ociVersion":"[^"]+"/g, '"ociVersion":"1"');
    expect(plain(told[0]!)).toBe(plain(told[1]!));
  });
});

describe.skipIf(lackingGcc !== '')(
  `launch with seccomp, system call by number${lackingGcc}`,
  () => {
    const bundle = useCleanBundle();

    beforeAll(() => {
      compile('make-call', 'make-call');
      compile('write-and-exit', 'write-and-exit', '-nostdlib');
    });

    function compile(source: string, program: string, ...flags: string[]): void {
      const file = fileURLToPath(new URL(`fixtures/${source}.c`, import.meta.url));
      const target = join(bundle.rootfs, 'bin', program);
      execFileSync('gcc', ['-O1', '-static', ...flags, '-o', target, file]);
    }

    it('launch answers calls younger than the profile with ENOSYS, as runc does', async () => {
      // One more than everything, a hole in the table, and one that is refused.
      const script = 'for call in 600 340 167 39; do make-call $call; done';
      const native: Change = seccompOf(containerProfile);
      for (const change of [native, both(native, withNewPrivileges)]) {
        const own = await ours(bundle.path, script, change);
        expect(own).toEqual(await runcs(bundle.path, script, change));
        expect(own.stdout).toMatch(process.arch === 'x64' ? /^38\n1\n1\n0\n$/ : /^38\n/);
      }
      // Where only the machine's own architecture is meant, which nobody had to list.
      const unlisted = seccompOf({ ...containerProfile, architectures: [] });
      expect((await ours(bundle.path, 'make-call 600', unlisted)).stdout).toBe('38\n');
    });

    it.skipIf(process.arch !== 'x64')(
      'launch ends a program that uses an architecture which is not listed, as runc does',
      async () => {
        const getpid = 'make-call i386 20; echo $?';
        const allow = allowAllBut({ names: ['getuid32'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 });
        const native = seccompOf(allow);
        expect(await ours(bundle.path, getpid, native)).toEqual(
          await runcs(bundle.path, getpid, native),
        );
        expect((await ours(bundle.path, getpid, native)).stdout).toContain(`${128 + SIGSYS}\n`);
        const listed = seccompOf({
          ...allow,
          architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
        });
        // getpid, then getuid32, which x86-64 has under no name.
        const script = 'make-call i386 20; make-call i386 199';
        const own = await ours(bundle.path, script, listed);
        expect(own.stdout).toBe('0\n99\n');
        expect(own).toEqual(await runcs(bundle.path, script, listed));
      },
    );

    it('launch lets a program run under a filter that allows its own calls and execve alone', async () => {
      const { stdout, status } = await runIn(bundle, '', (spec) => {
        spec.process.args = ['write-and-exit'];
        spec.linux!.seccomp = {
          defaultAction: 'SCMP_ACT_KILL_PROCESS',
          syscalls: [{ names: ['execve', 'write', 'exit_group'], action: 'SCMP_ACT_ALLOW' }],
        };
      });
      expect([stdout, status.code, status.signal]).toEqual(['hello\n', 7, null]);
    });
  },
);

async function ours(bundle: string, script: string, change: Change): Promise<Outcome> {
  const { status, stdout } = await runIn({ path: bundle, rootfs: '', remove() {} }, script, change);
  return { code: status.code ?? 128 + status.signal!, stdout };
}

async function runcs(bundle: string, script: string, change: Change): Promise<Outcome> {
  const there = { path: bundle, rootfs: '', remove() {} };
  const { code, stdout } = await runUnderRunc(there, script, change);
  return { code, stdout };
}
