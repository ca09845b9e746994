// Processes that enter a container which runs already.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadStream } from 'node:tty';
import {
  exec,
  type ExecConfig,
  type ExecOptions,
  freezeCgroup,
  isLaunchError,
  launch,
  type LaunchedProcess,
  type OciProcess,
  type OciSpec,
  prepareExec,
  sharedZygote,
  thawCgroup,
  type Zygote,
} from '@pilotlight/init';
import { receiveFile, SeqpacketSocket, socketpair } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, type Outcome, shellSpec, textOf } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const namespaceFiles = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

const withUser: Change = (spec) => {
  spec.linux!.namespaces!.push({ type: 'user' }, { type: 'time' });
  spec.linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  spec.linux!.gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
};

describe.skipIf(lacking !== '')(`exec${lacking}`, () => {
  const bundle = useCleanBundle();

  type Container = {
    process: LaunchedProcess;
    spec: OciSpec;
    config: (process?: Partial<OciProcess>) => ExecConfig;
    run: (script: string, process?: Partial<OciProcess>, options?: ExecOptions) => Promise<Outcome>;
  };

  /** A container whose first process waits; it is ended when `use` is done. */
  async function inContainer<T>(
    use: (container: Container) => Promise<T>,
    change: Change = () => {},
    script = 'sleep 1000',
  ): Promise<T> {
    const spec = shellSpec(`trap 'exit 0' TERM; ${script} & wait`, change);
    const id = newId();
    await using process = await launch(
      { id, spec, bundle: bundle.path },
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const config = (more: Partial<OciProcess> = {}): ExecConfig => ({
      container: {
        id,
        spec,
        bundle: bundle.path,
        pidfd: process.pidfd,
        cgroupPaths: process.cgroupPaths,
      },
      process: { args: ['sh'], cwd: '/', env: ['PATH=/bin'], ...more },
    });
    // Awaited here: it must be over before the container is disposed of.
    return await use({
      process,
      spec,
      config,
      async run(command, more = {}, options = {}) {
        const entered = await exec(config({ args: ['sh', '-c', command], ...more }), {
          stdio: ['ignore', 'pipe', 'pipe'],
          ...options,
        });
        const [status, stdout, stderr] = await Promise.all([
          entered.exited,
          textOf(entered.stdout),
          textOf(entered.stderr),
        ]);
        return { status, stdout, stderr };
      },
    });
  }

  const whereIs = `for ns in ${namespaceFiles.join(' ')}; do readlink /proc/self/ns/$ns; done`;
  const namespacesOf = (pid: number): string[] =>
    namespaceFiles.map((file) => readlinkSync(`/proc/${pid}/ns/${file}`));

  it.each([
    ['of the stock specification', () => {}],
    ['with a user and a time namespace', withUser],
  ] as [string, Change][])('exec is in every namespace of a container %s', async (_, change) => {
    await inContainer(async ({ process, run }) => {
      const { stdout, stderr, status } = await run(
        `${whereIs}; readlink /proc/self/ns/time; exit 7`,
      );
      expect(stderr).toBe('');
      expect(status.code).toBe(7);
      const [time, ...others] = stdout.trim().split('\n').toReversed();
      expect(others.toReversed()).toEqual(namespacesOf(process.pid));
      expect(time).toBe(readlinkSync(`/proc/${process.pid}/ns/time`));
    }, change);
  });

  it('exec sees the processes of the container, and they see it', async () => {
    await inContainer(async ({ run }) => {
      const { stdout } = await run('ps -o pid,args');
      expect(stdout).toMatch(/ 1 .*trap/);
      expect(stdout).toMatch(/ps -o pid,args/);
    });
  });

  it('exec is in every cgroup of the container', async () => {
    await inContainer(async ({ process, config }) => {
      const entered = await exec(config({ args: ['sleep', '1000'] }), {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const cgroups = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      expect(cgroups(entered.pid)).toBe(cgroups(process.pid));
      expect(entered.cgroupPaths).toEqual([]);
      await entered[Symbol.asyncDispose]();
      // The container goes on, and still has its cgroup.
      expect(readFileSync(join(process.cgroupPaths[0]!, 'cgroup.procs'), 'utf8')).toContain(
        String(process.pid),
      );
    });
  });

  it('exec has its own user, groups, environment, umask, directory and limits', async () => {
    await inContainer(async ({ run }) => {
      const { stdout } = await run(
        'id; umask; pwd; echo $A $HOME; ulimit -n; grep ^Cap /proc/self/status; cat /proc/self/oom_score_adj',
        {
          user: { uid: 1000, gid: 1001, additionalGids: [5, 4000], umask: 0o27 },
          env: ['PATH=/bin', 'A=b'],
          cwd: '/home/user',
          rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }],
          oomScoreAdj: 321,
          capabilities: { bounding: ['CAP_KILL'] },
        },
      );
      expect(stdout.split('\n')).toEqual([
        'uid=1000(user) gid=1001 groups=5,4000',
        '0027',
        '/home/user',
        'b /home/user',
        '100',
        'CapInh:\t0000000000000000',
        'CapPrm:\t0000000000000000',
        'CapEff:\t0000000000000000',
        'CapBnd:\t0000000000000020',
        'CapAmb:\t0000000000000000',
        '321',
        '',
      ]);
    });
  });

  it('exec has what the container has where it says nothing', async () => {
    await inContainer(
      async ({ run }) => {
        const { stdout } = await run('grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status');
        expect(stdout).toBe('CapBnd:\t0000000000000021\nNoNewPrivs:\t1\nSeccomp:\t2\n');
      },
      (spec) => {
        const sets = ['CAP_KILL', 'CAP_CHOWN'];
        spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
        spec.linux!.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 }],
        };
      },
    );
  });

  it('exec keeps the seccomp profile of the container', async () => {
    await inContainer(
      async ({ run }) => {
        const { status, stderr } = await run('', { args: ['unshare', '-U', 'true'] });
        expect(status.code).not.toBe(0);
        expect(stderr).not.toBe('');
      },
      (spec) => {
        spec.linux!.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 }],
        };
      },
    );
  });

  it('exec keeps to the CPUs of execCPUAffinity', async () => {
    await inContainer(async ({ run }) => {
      const { stdout } = await run('grep ^Cpus_allowed_list /proc/self/status', {
        execCPUAffinity: { initial: '0', final: '0' },
      });
      expect(stdout).toBe('Cpus_allowed_list:\t0\n');
    });
  });

  it('exec leaves no descriptor of ours open', async () => {
    await inContainer(async ({ run }) => {
      const { stdout } = await run('', { args: ['ls', '/proc/self/fd'] });
      expect(stdout.trim().split('\n')).toEqual(['0', '1', '2', '3']);
    });
  });

  it('exec has a terminal of the container', async () => {
    await inContainer(async ({ config }) => {
      const [ours, theirs] = socketpair('seqpacket');
      const socket = new SeqpacketSocket(ours);
      const script = 'tty; stty size; stat -c %t:%T /dev/console 2>&1; read line; exit 9';
      const entered = await exec(
        config({
          args: ['sh', '-c', script],
          terminal: true,
          consoleSize: { height: 30, width: 90 },
        }),
        { consoleSocket: theirs },
      );
      theirs.close();
      const { fd: master } = await receiveFile(socket);
      socket.close();
      const terminal = new ReadStream(master.release());
      let text = '';
      terminal.on('data', (part: Buffer) => (text += part.toString()));
      const closed = new Promise((resolve) => terminal.on('error', resolve).on('close', resolve));
      while (!text.includes('onsole')) await sleep(5);
      // oxlint-disable-next-line typescript/no-unsafe-call -- a terminal can be written to
      (terminal as unknown as { write(text: string): void }).write('line\n');
      expect((await entered.exited).code).toBe(9);
      await closed;
      terminal.destroy();
      expect(text).toContain('/dev/pts/0');
      expect(text).toContain('30 90');
      // That one is the first process's, which has no terminal.
      expect(text).toContain("can't stat '/dev/console'");
    });
  });

  it('exec can be prepared, and nothing of it runs before it is told to', async () => {
    await inContainer(
      async ({ config, run }) => {
        const prepared = await prepareExec(config({ args: ['sh', '-c', 'echo ran > /tmp/ran'] }), {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        expect(prepared.pidfd.closed).toBe(false);
        expect((await run('cat /tmp/ran')).status.code).not.toBe(0);
        const entered = await prepared.run();
        expect((await entered.exited).code).toBe(0);
        expect((await run('cat /tmp/ran')).stdout).toBe('ran\n');
      },
      (spec) => {
        spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
      },
    );
  });

  it('exec is refused by a paused container, or waits until it goes on', async () => {
    await inContainer(async ({ config, process }) => {
      await freezeCgroup(process.cgroupPaths);
      const shell = config({ args: ['sh', '-c', 'exit 4'] });
      await expect(exec(shell)).rejects.toMatchObject({
        step: 'container',
        message: expect.stringContaining('it is paused'),
        hint: expect.stringContaining('Resume'),
      });
      const prepared = await prepareExec(shell, {
        ignorePaused: true,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const running = prepared.run();
      await thawCgroup(process.cgroupPaths);
      const entered = await running;
      expect((await entered.exited).code).toBe(4);
    });
  });

  it('exec into a container that has ended says so', async () => {
    let shell: ExecConfig | undefined;
    await inContainer(async ({ config, process }) => {
      shell = config();
      process.signal('SIGKILL');
      await process.exited;
      const failure: unknown = await exec(shell).catch((error: unknown) => error);
      // Its handle has closed the pidfd meanwhile.
      expect(failure).toMatchObject({ step: 'container', errnoCode: 'ESRCH' });
    });
  });

  it.each<[string, Partial<OciProcess>, Record<string, unknown>]>([
    [
      'a program that does not exist',
      { args: ['/no/such'] },
      { step: 'exec', errnoCode: 'ENOENT' },
    ],
    ['a directory that does not exist', { cwd: '/no/such' }, { step: 'working directory' }],
  ])('exec names %s, and leaves nothing', async (_, more, expected) => {
    await inContainer(async ({ config }) => {
      const failure: unknown = await exec(config(more), {
        stdio: ['ignore', 'ignore', 'inherit'],
      }).catch((error: unknown) => error);
      expect(isLaunchError(failure)).toBe(true);
      expect(failure).toMatchObject(expected);
    });
  });

  it('exec says so when the container ends in the middle of it, and nothing is left', async () => {
    await inContainer(async ({ process, config }) => {
      const zygote = await sharedZygote();
      const late: Zygote = {
        async fork(request) {
          process.signal('SIGKILL');
          await process.exited;
          return zygote.fork(request);
        },
        close: () => zygote.close(),
      };
      const error: unknown = await exec(config(), { zygote: late }).catch(
        (failure: unknown) => failure,
      );
      expect(error).toMatchObject({ step: 'container', errnoCode: 'ESRCH' });
      expect((error as Error).message).toContain('its first process has ended');
    });
  });

  it('exec returns the right status 100 times, 4 at a time', async () => {
    await inContainer(async ({ run }) => {
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < 100) {
          const code = next++;
          const { status } = await run(`exit ${code}`);
          expect(status.code).toBe(code);
        }
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
    });
  });

  // What a hostile container can put in the way of whoever enters it.
  describe('into a hostile container', () => {
    const writable: Change = (spec) => void (spec.root.readonly = false);

    it('exec with a working directory in /proc/self/fd is refused (CVE-2024-21626)', async () => {
      await inContainer(async ({ config }) => {
        for (let fd = 3; fd < 16; fd++) {
          const failure: unknown = await exec(
            config({ args: ['sh', '-c', 'pwd; exit 0'], cwd: `/proc/self/fd/${fd}` }),
            { stdio: ['ignore', 'ignore', 'ignore'] },
          ).catch((error: unknown) => error);
          expect(isLaunchError(failure)).toBe(true);
          expect(failure).toMatchObject({ step: 'working directory' });
        }
      });
    });

    it('exec does not take another device for /dev/null', async () => {
      await inContainer(async ({ config, run }) => {
        await run('rm /dev/null; mkfifo /dev/null');
        const failure: unknown = await exec(config({ args: ['true'] }), {
          stdio: ['ignore', 'ignore', 'ignore'],
        }).catch((error: unknown) => error);
        expect(failure).toMatchObject({ message: expect.stringContaining('null device') });
      }, writable);
    });

    it('exec is not held up by a passwd file that is a FIFO', async () => {
      const passwd = join(bundle.rootfs, 'etc/passwd');
      const text = readFileSync(passwd);
      rmSync(passwd);
      spawnSync('mkfifo', [passwd]);
      try {
        await inContainer(async ({ run }) => {
          expect((await run('echo $HOME')).stdout).toBe('/\n');
        });
      } finally {
        rmSync(passwd);
        writeFileSync(passwd, text);
      }
    });

    it('exec runs the program inside, whatever links lead out of the root', async () => {
      mkdirSync(join(bundle.path, 'outside'));
      writeFileSync(join(bundle.path, 'outside/prog'), '#!/bin/sh\necho outside\n', {
        mode: 0o755,
      });
      symlinkSync(`../../../../../..${bundle.path}/outside/prog`, join(bundle.rootfs, 'bin/prog'));
      await inContainer(async ({ config }) => {
        await expect(exec(config({ args: ['prog'] }))).rejects.toMatchObject({
          step: 'exec',
          errnoCode: 'ENOENT',
        });
      });
    });

    it('exec is closed to the processes of the container until its program runs', async () => {
      await inContainer(
        async ({ config, run }) => {
          const prepared = await prepareExec(config({ args: ['true'] }), {
            stdio: ['ignore', 'ignore', 'ignore'],
          });
          const { stdout } = await run(
            `for p in /proc/[0-9]*; do grep -q NSpid $p/status 2>/dev/null || continue
               case "$(tr '\\0' ' ' < $p/cmdline)" in *zygot[e].cjs*) echo found
                 for f in mem exe fd environ maps; do
                   if [ $f = fd ]; then ls $p/fd >/dev/null 2>&1 && echo "open $f"
                   elif [ $f = exe ]; then readlink $p/exe >/dev/null 2>&1 && echo "open $f"
                   else head -c 1 $p/$f >/dev/null 2>&1 && echo "open $f"; fi
                 done;;
               esac
             done`,
          );
          await prepared.abort();
          expect(stdout).toBe('found\n');
        },
        (spec) => {
          withUser(spec);
          spec.process.capabilities = {
            bounding: ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE'],
            permitted: ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE'],
            effective: ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE'],
          };
        },
      );
    });
  });
});
