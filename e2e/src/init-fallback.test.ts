// Launching where Node cannot be forked: the program sees what it would see otherwise.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants as fsConstants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import {
  ChildDiedError,
  launch,
  LaunchError,
  prepareLaunch,
  sharedZygote,
  startSpawningZygote,
  UnsupportedConfigError,
  type Zygote,
} from '@pilotlight/init';
import {
  openFd,
  pidfdOpen,
  probePidfd,
  receiveFile,
  SeqpacketSocket,
  socketpair,
  waitPidfd,
} from '@pilotlight/scm-rights';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import {
  belongings,
  type Change,
  childrenOf,
  missing,
  newId,
  requireNothingLeft,
  runIn,
  shellSpec,
} from './init-bundle.ts';
import { parseMountinfo } from './mountinfo.ts';

const lacking = missing('root', 'busybox-static');
const support = await probePidfd();
const O_RDONLY = 0;
const CLONE_NEWNS = 0x0002_0000;
const CLONE_NEWPID = 0x2000_0000;
const CLONE_NEWUSER = 0x1000_0000;

/** As they are published; Node strips the types of sources by WebAssembly, which not every Node here has. */
const built = (name: string, file: string): string =>
  fileURLToPath(
    new URL(`../dist/${file}`, pathToFileURL(fileURLToPath(import.meta.resolve(name)))),
  );

describe.skipIf(lacking !== '')(`a zygote that spawns${lacking}`, () => {
  const bundle = useCleanBundle();
  let zygote: Zygote;
  beforeAll(async () => {
    zygote = await startSpawningZygote();
    await runIn(bundle, 'true', undefined, { zygote });
  });
  afterAll(() => zygote.close());

  const config = (script: string, change?: Change) => ({
    id: newId(),
    spec: shellSpec(script, change),
    bundle: bundle.path,
  });
  const failureOf = (change: Change, script = 'true'): Promise<unknown> =>
    launch(config(script, change), { zygote, stdio: ['ignore', 'ignore', 'inherit'] }).then(
      () => undefined,
      (error: unknown) => error,
    );

  describe('a program sees the same as one of a zygote that forks', () => {
    const variants: Record<string, Change> = {
      'the stock specification': () => {},
      'a user, capabilities and limits': ({ process }) => {
        process.user = { uid: 1000, gid: 1000, additionalGids: [5, 6], umask: 0o27 };
        process.capabilities = {
          bounding: ['CAP_KILL', 'CAP_CHOWN'],
          effective: ['CAP_KILL'],
          permitted: ['CAP_KILL'],
          inheritable: ['CAP_KILL'],
          ambient: ['CAP_KILL'],
        };
        process.rlimits = [{ type: 'RLIMIT_CORE', soft: 1, hard: 2 }];
        process.oomScoreAdj = 77;
        process.cwd = '/tmp';
      },
      'no new namespace but of mounts': (spec) => {
        spec.linux!.namespaces = [{ type: 'mount' }];
        delete spec.hostname;
        spec.mounts = spec.mounts!.filter(({ type }) => type !== 'sysfs');
      },
      'time offsets, a scheduler and sysctls': (spec) => {
        spec.linux!.namespaces!.push({ type: 'time' });
        spec.linux!.timeOffsets = { boottime: { secs: 100_000 } };
        spec.linux!.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4242' };
        spec.process.scheduler = { policy: 'SCHED_OTHER', nice: 5 };
        spec.process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
      },
      'a writable root with more mounts': (spec) => {
        spec.root.readonly = false;
        spec.linux!.rootfsPropagation = 'private';
        spec.mounts!.push(
          { destination: '/data', type: 'tmpfs', source: 'x', options: ['mode=711', 'noexec'] },
          { destination: '/home', type: 'bind', source: '/usr', options: ['rbind', 'rro'] },
        );
      },
    };
    const script = `
      cat /proc/self/status; echo ==; cat /proc/self/mountinfo; echo ==; cat /proc/self/limits;
      echo ==; for n in cgroup ipc mnt net pid user uts time; do
        test "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/self/ns/$n)" && echo $n; done;
      cat /proc/self/oom_score_adj /proc/sys/kernel/msgmax; id; umask; pwd; hostname; env;
      cat /proc/self/attr/current; cat /proc/self/cgroup; cat /proc/self/timens_offsets;
      cut -d' ' -f19,20,41 /proc/self/stat; ls /proc/self/fd /dev; ip link; keyctl 2>&1 | head -1`;
    /** Without what differs from one launch to the next. */
    const comparable = (text: string): unknown => {
      const [status = '', mountinfo = '', ...rest] = text.split('==\n');
      return {
        status: status.replaceAll(
          /^(?:Vm\w+|Rss\w+|\w+ctxt_switches|\w*[Tt]gid|\w*[Pp]id|NS\w+|Ngid|PPid|TracerPid|SigQ):.*\n/gm,
          '',
        ),
        mounts: parseMountinfo(mountinfo.replaceAll(/init-e2e-\d+-\d+/g, 'id')),
        rest: rest.join('==\n').replaceAll(/init-e2e-\d+-\d+/g, 'id'),
      };
    };

    it.each(Object.entries(variants))('with %s', async (_, change) => {
      const spawned = await runIn(bundle, script, change, { zygote });
      const forked = await runIn(bundle, script, change);
      expect(spawned.stdout).toContain('Seccomp:');
      expect(comparable(spawned.stdout)).toEqual(comparable(forked.stdout));
      expect(spawned.stderr).toBe(forked.stderr);
      expect(spawned.status).toEqual(forked.status);
    });
  });

  it('the program is pid 1 of namespaces of its own', async () => {
    const process = await launch(config('echo $$; sleep 60'), {
      zygote,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = (await once(process.stdout!, 'data')) as [Buffer];
    expect(pid.toString()).toBe('1\n');
    for (const name of ['pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup']) {
      const path = (who: number | 'self'): string => readlinkSync(`/proc/${who}/ns/${name}`);
      expect(path(process.pid)).not.toBe(path('self'));
    }
    const [spawning] = childrenOf(globalThis.process.pid).filter((parent) =>
      childrenOf(parent).includes(process.pid),
    );
    // That one is still where it was.
    for (const name of ['pid', 'pid_for_children', 'mnt', 'net']) {
      expect(readlinkSync(`/proc/${spawning}/ns/${name}`)).toBe(
        readlinkSync(`/proc/self/ns/${name}`),
      );
    }
    expect(readFileSync(`/proc/${process.pid}/status`, 'utf8')).toMatch(/^Threads:\s+1$/m);
    process.signal('SIGKILL');
    expect(await process.exited).toMatchObject({ code: null, signal: constants.signals.SIGKILL });
  });

  it.each([0, 1, 42, 255])('the exit status %i arrives', async (code) => {
    const { status } = await runIn(bundle, `exit ${code}`, undefined, { zygote });
    expect(status).toMatchObject({ code, signal: null });
  });

  it('the process stays a zombie until its status is recorded, and is reaped then', async () => {
    let seen = '';
    const process = await launch(config('exit 9'), {
      zygote,
      stdio: ['ignore', 'ignore', 'inherit'],
      async onExit(status) {
        const { pid } = await pidOf;
        seen = `${status.code} ${/^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]}`;
      },
    }).then((launched) => {
      resolvePid({ pid: launched.pid });
      return launched;
    });
    const { pid } = process;
    await process.exited;
    expect(seen).toBe('9 Z');
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });
  let resolvePid: (value: { pid: number }) => void = () => undefined;
  const pidOf = new Promise<{ pid: number }>((resolve) => (resolvePid = resolve));

  it('twenty launches, five at a time, end each with their own status', async () => {
    const codes = Array.from({ length: 20 }, (_, index) => index + 1);
    const seen: (number | null)[] = [];
    const queue = [...codes];
    const worker = async (): Promise<void> => {
      for (let code = queue.shift(); code !== undefined; code = queue.shift()) {
        const { status } = await runIn(bundle, `exit ${code}`, undefined, { zygote });
        seen.push(status.code);
        expect(status.code).toBe(code);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker(), worker()]);
    expect(seen.toSorted((a, b) => a! - b!)).toEqual(codes);
  });

  it('a terminal goes through the console socket', async () => {
    const [ours, theirs] = socketpair('seqpacket');
    const socket = new SeqpacketSocket(ours);
    const process = await launch(
      config('tty; stty size; test -t 0 && test -t 2 && echo both', (spec) => {
        spec.process.terminal = true;
        spec.process.consoleSize = { height: 33, width: 111 };
      }),
      { zygote, consoleSocket: theirs },
    );
    theirs.close();
    const { fd } = await receiveFile(socket);
    socket.close();
    const terminal = new ReadStream(fd.release());
    let text = '';
    terminal.on('data', (part: Buffer) => (text += part.toString()));
    const closed = new Promise((resolve) => terminal.on('error', resolve).on('close', resolve));
    expect((await process.exited).code).toBe(0);
    await closed;
    terminal.destroy();
    expect(text).toBe('/dev/pts/0\r\n33 111\r\nboth\r\n');
  });

  it('preserved descriptors, and no other, reach the program', async () => {
    using file = openFd('/etc/hostname', O_RDONLY);
    const { stdout } = await runIn(
      bundle,
      'for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink $fd)"; done; cat <&3 | wc -c',
      undefined,
      { zygote, preserveFds: [file] },
    );
    const lines = stdout.trim().split('\n');
    expect(lines.slice(0, 4).map((line) => line.split(' ')[0])).toEqual(['0', '1', '2', '3']);
    expect(lines[3]).toBe('3 /etc/hostname');
    // The shell's own, for its substitution.
    expect(lines.slice(4, -1)).toEqual([expect.stringMatching(/^4 pipe:/)]);
    expect(lines.at(-1)).toBe(String(readFileSync('/etc/hostname').length));
  });

  it('all hooks run at their moment', async () => {
    const log = join(bundle.path, 'hooks.log');
    const say = (text: string) => ({
      path: '/bin/sh',
      args: ['sh', '-c', `cat > /dev/null; echo ${text} >> ${log}`],
    });
    const inside = { path: '/bin/sh', args: ['sh', '-c', 'cat > /tmp/state; echo inside'] };
    const { stdout } = await runIn(
      bundle,
      'grep -c created /tmp/state',
      (spec) => {
        spec.mounts!.push({ destination: '/tmp', type: 'tmpfs' });
        spec.hooks = {
          prestart: [say('prestart')],
          createRuntime: [say('createRuntime')],
          createContainer: [say('createContainer')],
          startContainer: [inside],
          poststart: [say('poststart')],
          poststop: [say('poststop')],
        };
      },
      { zygote },
    );
    expect(stdout).toBe('1\n');
    await expect
      .poll(() => readFileSync(log, 'utf8').trim().split('\n'))
      .toEqual(['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']);
    rmSync(log);
  });

  it('a seccomp profile is loaded', async () => {
    const { stdout } = await runIn(
      bundle,
      'grep Seccomp: /proc/self/status; mkdir /tmp/x 2>&1',
      (spec) => {
        spec.mounts!.push({ destination: '/tmp', type: 'tmpfs' });
        spec.process.noNewPrivileges = false;
        spec.linux!.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }],
        };
      },
      { zygote },
    );
    expect(stdout).toMatch(/Seccomp:\s+2\n/);
    expect(stdout).toMatch(/not supported/);
  });

  it('a limit of processes below the number of threads of Node does not hinder it', async () => {
    const { status } = await runIn(
      bundle,
      'exit 6',
      (spec) => void (spec.linux!.resources = { pids: { limit: 1 } }),
      { zygote },
    );
    expect(status.code).toBe(6);
  });

  describe('with namespaces of others', () => {
    let holder: ChildProcess;
    beforeAll(async () => {
      holder = spawn('unshare', ['-m', '-n', '-i', '-u', 'sh', '-c', 'echo up; exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(holder.stdout!, 'data');
    });
    afterAll(async () => {
      const ended = once(holder, 'exit');
      holder.kill('SIGKILL');
      await ended;
    });
    const path = (file: string): string => `/proc/${holder.pid}/ns/${file}`;

    it('joins those of network, ipc, uts and mounts', async () => {
      const { stdout, stderr } = await runIn(
        bundle,
        'for n in net ipc uts; do readlink /proc/self/ns/$n; done; echo $$',
        (spec) => {
          delete spec.hostname;
          spec.linux!.namespaces = [
            { type: 'pid' },
            { type: 'network', path: path('net') },
            { type: 'ipc', path: path('ipc') },
            { type: 'uts', path: path('uts') },
            { type: 'mount', path: path('mnt') },
          ];
        },
        { zygote },
      );
      expect(stderr).toBe('');
      expect(stdout).toBe(
        `${['net', 'ipc', 'uts'].map((file) => readlinkSync(path(file))).join('\n')}\n1\n`,
      );
    });

    it.each([
      ['pid', 'pid', /take it over/],
      ['time', 'time', /threads/],
      ['user', 'user', /threads/],
    ] as const)('refuses to join one of type %s', async (type, file, why) => {
      const error = await failureOf((spec) => {
        const others = spec.linux!.namespaces!.filter((namespace) => namespace.type !== type);
        spec.linux!.namespaces = [...others, { type, path: path(file) }];
      });
      expect(error).toBeInstanceOf(UnsupportedConfigError);
      expect(error).toMatchObject({
        field: expect.stringMatching(/^linux\.namespaces\[\d\]$/),
        message: expect.stringMatching(why),
        hint: expect.stringContaining('startZygote'),
      });
    });
  });

  it('refuses a new user namespace before anything is done', async () => {
    const before = belongings();
    const ran = join(bundle.path, 'ran');
    const error = await failureOf((spec) => {
      spec.linux!.namespaces!.push({ type: 'user' });
      spec.linux!.uidMappings = [{ containerID: 0, hostID: 1000, size: 100 }];
      spec.linux!.gidMappings = [{ containerID: 0, hostID: 1000, size: 100 }];
      spec.hooks = { createRuntime: [{ path: '/bin/touch', args: ['touch', ran] }] };
    });
    expect(error).toBeInstanceOf(UnsupportedConfigError);
    expect(error).toMatchObject({
      field: 'linux.namespaces',
      message: expect.stringContaining('a new user namespace'),
    });
    expect(existsSync(ran)).toBe(false);
    await requireNothingLeft(before);
  });

  it('refuses an id-mapped mount that needs a new user namespace', async () => {
    const error = await failureOf((spec) => {
      spec.mounts!.push({
        destination: '/data',
        type: 'bind',
        source: bundle.path,
        options: ['bind'],
        uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      });
    });
    expect(error).toBeInstanceOf(UnsupportedConfigError);
    expect(error).toMatchObject({ field: expect.stringMatching(/^mounts\[\d+\]$/) });
  });

  it.each([
    ['mounts', (spec) => void spec.mounts!.push({ destination: '/x', type: 'nosuchfs' })],
    ['exec', (spec) => void (spec.process.args = ['/no/such/program'])],
    ['working directory', (spec) => void (spec.process.cwd = '/etc/passwd')],
    [
      'limits',
      (spec) =>
        void (spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 2 ** 40, hard: 2 ** 40 }]),
    ],
  ] as const satisfies [string, Change][])(
    'a launch that fails at step "%s" says so and leaves nothing',
    async (step, change) => {
      const before = belongings();
      const error = await failureOf(change);
      expect(error).toBeInstanceOf(LaunchError);
      expect(error).toMatchObject({ step });
      await requireNothingLeft(before);
    },
  );

  it('an aborted launch leaves nothing', async () => {
    const before = belongings();
    const prepared = await prepareLaunch(config('true'), { zygote });
    expect(readFileSync(`/proc/${prepared.pid}/cmdline`, 'utf8')).toContain('spawning-zygote');
    await prepared.abort();
    await requireNothingLeft(before);
  });

  it('a child at the gate runs from a read-only clone of Node, and holds no descriptor of others', async () => {
    using secret = openFd(join(bundle.rootfs, 'etc/passwd'), O_RDONLY);
    expect(secret.fd).toBeGreaterThan(2);
    const prepared = await prepareLaunch(config('true'), {
      zygote,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const place = `/proc/${prepared.pid}`;
    expect(readlinkSync(`${place}/exe`)).toBe('/');
    expect(() => accessSync(`${place}/exe`, fsConstants.W_OK)).toThrow(/EROFS/);
    const open = readdirSync(`${place}/fd`).map((fd) => readlinkSync(`${place}/fd/${fd}`));
    expect(open.filter((link) => !/^(?:\/dev\/null|\/null|\w+:.*)$/.test(link))).toEqual([]);
    // Its half of the handshake, and the streams and pipes that Node's own loop has; not ours twice.
    expect(open.filter((link) => link.startsWith('socket:')).length).toBe(1);
    expect(readFileSync(`${place}/environ`, 'utf8')).toBe('');
    await prepared.abort();
  });

  it('a child that is killed at the gate is reported', async () => {
    const prepared = await prepareLaunch(config('true'), { zygote });
    using pidfd = pidfdOpen(prepared.pid);
    process.kill(prepared.pid, 'SIGKILL');
    await waitPidfd(pidfd);
    await expect(prepared.run()).rejects.toBeInstanceOf(ChildDiedError);
  });

  it.skipIf(!support.exitInfo)(
    'a program outlives its zygote, and its status is learned (needs Linux 6.15)',
    async () => {
      const own = await startSpawningZygote();
      const process = await launch(config('read line; exit 8'), {
        zygote: own,
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      await own.close();
      process.stdin!.end('go\n');
      expect(await process.exited).toMatchObject({ code: 8 });
    },
  );

  describe('fork', () => {
    /** Where the hybrid layout has v2, or v2 alone is. */
    const v2 = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
      existsSync(join(path, 'cgroup.controllers')),
    );

    async function forkIn(
      request: Partial<Parameters<Zygote['fork']>[0]>,
      use: (pid: number) => void,
    ): Promise<void> {
      using none = openFd('/dev/null', O_RDONLY);
      const [ours, init] = socketpair('stream');
      const [ourSync, sync] = socketpair('seqpacket');
      try {
        const child = await zygote.fork({
          cloneFlags: CLONE_NEWNS | CLONE_NEWPID,
          fds: { stdin: none, stdout: none, stderr: none, init, sync },
          ...request,
        });
        try {
          use(child.pid);
        } finally {
          // Its end of file, without a config: the child ends by itself.
          for (const end of [ours, init, ourSync, sync]) end.close();
          expect(await child.ended).toMatchObject({ code: 255 });
          await child.reap();
          child.pidfd.close();
        }
      } finally {
        for (const end of [ours, init, ourSync, sync]) end.close();
      }
    }

    it.skipIf(v2 === undefined)('fork puts the child into its v2 cgroup (needs one)', async () => {
      const path = join(v2!, newId());
      mkdirSync(path);
      try {
        using cgroup = openFd(path, O_RDONLY);
        await forkIn({ cgroup }, (pid) => {
          expect(readFileSync(join(path, 'cgroup.procs'), 'utf8')).toBe(`${pid}\n`);
        });
      } finally {
        await expect.poll(() => readFileSync(join(path, 'cgroup.procs'), 'utf8')).toBe('');
        rmdirSync(path);
      }
    });

    it('fork leaves nothing when the cgroup cannot be entered', async () => {
      const before = belongings();
      using cgroup = openFd('/tmp', O_RDONLY);
      const failure = forkIn({ cgroup }, () => undefined);
      await expect(failure).rejects.toMatchObject({
        step: 'fork',
        errnoCode: 'ENOENT',
        message: expect.stringContaining('enter the cgroup'),
      });
      expect(belongings().grandchildren).toEqual(before.grandchildren);
      // And the next one works.
      await forkIn({}, (pid) => expect(pid).toBeGreaterThan(1));
    });

    it('fork refuses what launch would', async () => {
      await expect(forkIn({ cloneFlags: CLONE_NEWUSER }, () => undefined)).rejects.toBeInstanceOf(
        UnsupportedConfigError,
      );
      using pidNamespace = openFd('/proc/self/ns/pid', O_RDONLY);
      await expect(forkIn({ pidNamespace }, () => undefined)).rejects.toBeInstanceOf(
        UnsupportedConfigError,
      );
    });
  });
});

describe.skipIf(lacking !== '')(`the shared zygote${lacking}`, () => {
  const bundle = useCleanBundle();
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pilotlight-fallback-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  afterEach(() => bundle.keepWhatIsThere());

  /** A seccomp filter of an outer container that hides clone3(2), as many do. */
  const hideClone3 = `
    import { loadLibc } from ${JSON.stringify(built('@pilotlight/scm-rights', 'libc.js'))};
    const libc = loadLibc();
    const filter = Buffer.alloc(4 * 8);
    // Load the number; clone3 goes on to ENOSYS, all else past it.
    [[0x20, 0, 0, 0], [0x15, 0, 1, 435], [0x06, 0, 0, 0x50000 | 38], [0x06, 0, 0, 0x7fff0000]].forEach(
      ([code, jt, jf, k], at) => {
        filter.writeUInt16LE(code, at * 8);
        filter.writeUInt8(jt, at * 8 + 2);
        filter.writeUInt8(jf, at * 8 + 3);
        filter.writeUInt32LE(k, at * 8 + 4);
      });
    const program = Buffer.alloc(16);
    program.writeUInt16LE(4, 0);
    program.writeBigUInt64LE(libc.address(filter), 8);
    if (libc.func('prctl', 'int', ['int', 'long', 'void *', 'long', 'long'])(22, 2, program, 0, 0) !== 0) {
      throw new Error('no filter: errno ' + libc.errno());
    }`;

  /** Runs a program with launch, sharedZygote and the fallback events at hand; its result comes back. */
  async function resultOf(body: string, before = ''): Promise<Record<string, unknown>> {
    const file = join(directory, 'parent.mjs');
    writeFileSync(
      file,
      `import { launch, sharedZygote, UnsupportedConfigError } from ${JSON.stringify(built('@pilotlight/init', 'index.js'))};
       import { subscribe } from 'node:diagnostics_channel';
       import { readFileSync } from 'node:fs';
       ${before}
       const events = [];
       subscribe('pilotlight:zygote:fallback', (event) => events.push(event));
       const config = ${JSON.stringify({ spec: shellSpec('exit 13'), bundle: bundle.path })};
       const id = ${JSON.stringify(newId())};
       const launchIt = (number, change = () => undefined) => {
         const spec = structuredClone(config.spec);
         change(spec);
         return launch({ ...config, spec, id: id + '-' + number }, { stdio: ['ignore', 'ignore', 'ignore'] });
       };
       const result = await (async () => { ${body} })();
       console.log(JSON.stringify({ ...result, events: events.map(({ reason, error }) => ({ reason, code: error.code, unfit: error.unfit })) }));`,
    );
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
      env: { PATH: process.env['PATH'] },
    });
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it('sharedZygote of a process that may not use clone3 spawns instead, and says why once', async () => {
    const result = await resultOf(
      `const codes = [];
       for (const number of [1, 2]) codes.push((await (await launchIt(number)).exited).code);
       const { fallbackReason } = await sharedZygote();
       // Ends it: the next launch starts another one, which tells nobody any more.
       await (await sharedZygote()).close();
       codes.push((await (await launchIt(3)).exited).code);
       const refused = await launchIt(4, (spec) => {
         spec.linux.namespaces.push({ type: 'user' });
         spec.linux.uidMappings = spec.linux.gidMappings = [{ containerID: 0, hostID: 5, size: 100 }];
       }).catch((error) => error);
       return { codes, fallbackReason, refused: refused.code, message: refused.message };`,
      hideClone3,
    );
    const reason = expect.stringMatching(/^this Node cannot be forked: clone3: ENOSYS/);
    expect(result).toEqual({
      codes: [13, 13, 13],
      fallbackReason: reason,
      events: [{ reason, code: 'ERR_INIT_ZYGOTE', unfit: true }],
      refused: 'ERR_INIT_UNSUPPORTED_CONFIG',
      message: expect.stringContaining('nothing is forked because this Node cannot be forked'),
    });
  });

  it('pilotlight run works in a process that may not use clone3', async () => {
    const file = join(directory, 'run.mjs');
    const launcher = fileURLToPath(new URL('../../bin/pilotlight', import.meta.url));
    const spec = shellSpec('echo "pid $$"; exit 17');
    writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(spec));
    const args = ['--root', join(directory, 'state'), 'run', '--bundle', bundle.path, newId()];
    writeFileSync(
      file,
      `import { spawnSync } from 'node:child_process';
       ${hideClone3}
       const { status, stdout, stderr } = spawnSync(${JSON.stringify(launcher)}, ${JSON.stringify(args)}, { encoding: 'utf8' });
       console.log(JSON.stringify({ status, stdout, stderr }));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    expect(JSON.parse(stdout)).toEqual({ status: 17, stdout: 'pid 1\n', stderr: '' });
  });

  it('sharedZygote of a process whose Node can be forked does not fall back', async () => {
    const result = await resultOf(
      `const { code } = await (await launchIt(1)).exited;
       return { code, spawns: (await sharedZygote()).requireSupport !== undefined };`,
    );
    expect(result).toEqual({ code: 13, spawns: false, events: [] });
  });

  it('sharedZygote does not fall back when a zygote is killed at its start', async () => {
    const result = await resultOf(
      `const starting = sharedZygote().catch((error) => error);
       const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').match(/\\d+/g) ?? [];
       while (children().length === 0) await new Promise(setImmediate);
       for (const pid of children()) process.kill(Number(pid), 'SIGKILL');
       const error = await starting;
       const next = await sharedZygote();
       return { code: error.code, unfit: error.unfit, spawns: next.requireSupport !== undefined };`,
    );
    expect(result).toEqual({ code: 'ERR_INIT_ZYGOTE', unfit: false, spawns: false, events: [] });
  });

  it('sharedZygote here forks', async () => {
    expect((await sharedZygote()).fallbackReason).toBeUndefined();
  });
});
