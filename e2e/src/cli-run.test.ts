import { chmodSync, chownSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  hasBusybox,
  hasRunc,
  isRoot,
  launcher,
  missing,
  runProgram,
  Scratch,
} from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

describe.skipIf(!isRoot)(`pilotlight run -- COMMAND${missing({ root: isRoot })}`, () => {
  const sh = (script: string): string[] => ['run', scratch.id(), '--', 'sh', '-c', script];

  it('runs a command line on the host root, alone with its own host name', async () => {
    const { code, stdout, stderr } = await scratch.run(
      sh('id -u; hostname; cd /proc; echo [0-9]*; echo $$'),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [uid, hostname, pids, own] = stdout.split('\n');
    expect([uid, hostname, own]).toEqual(['0', 'pilotlight', '1']);
    expect(pids?.split(' ').length).toBeLessThanOrEqual(2);
  });

  it('makes up an id when none is given', async () => {
    expect(await scratch.run(['run', '--', 'true'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('keeps the host root from being written, and offers a /tmp of its own', async () => {
    const script = `echo x > ${scratch.path('x')}; ls ${scratch.directory}; echo x > /usr/x; echo y > /tmp/y && cat /tmp/y`;
    const { stdout, stderr } = await scratch.run(sh(script));
    expect(stdout).toBe('y\n');
    expect(stderr).toMatch(/Read-only file system/);
  });

  it('gives the program the current directory, or / where the sandbox has another one', async () => {
    expect((await scratch.run(sh('pwd'), { cwd: '/usr' })).stdout).toBe('/usr\n');
    expect((await scratch.run(sh('pwd'), { cwd: '/tmp' })).stdout).toBe('/\n');
  });

  it('passes on few variables of the environment', async () => {
    const env = {
      PATH: process.env['PATH'] ?? '/bin:/usr/bin',
      SECRET: 'x',
      LANG: 'C',
      TERM: 'vt100',
    };
    const { stdout } = await scratch.run(sh('env'), { env });
    expect(stdout).toContain('LANG=C');
    expect(stdout).toContain('TERM=vt100');
    expect(stdout).not.toContain('SECRET');
  });

  it('hands over standard input, and output of any length, byte for byte', async () => {
    const input = 'pilotlight\n'.repeat(50_000);
    const { code, stdout } = await scratch.run(['run', '--', 'cat'], { input });
    expect(code).toBe(0);
    expect(stdout === input).toBe(true);
  });

  it('leaves the streams it hands over blocking', async () => {
    const { stdout } = await scratch.run(sh('cd /proc/self/fdinfo; cat 0 1 2'));
    const flags = [...stdout.matchAll(/^flags:\t(\d+)$/gm)].map(([, octal]) => parseInt(octal!, 8));
    expect(flags.map((value) => value & constants.O_NONBLOCK)).toEqual([0, 0, 0]);
  });

  it.each([
    [0, ['true']],
    [7, ['sh', '-c', 'exit 7']],
    [255, ['sh', '-c', 'exit 255']],
    [127, ['no-such-program']],
    [127, ['/no/such/program']],
    [126, ['/etc/passwd']],
    [126, ['/etc']],
  ])('exits with %i for %j', async (code, command) => {
    const outcome = await scratch.run(['run', '--', ...command]);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr.includes('step: exec')).toBe(code === 126 || code === 127);
  });

  it('passes SIGTERM on to the program, whose answer is its exit code', async () => {
    const running = scratch.start(
      sh('trap "exit 143" TERM; echo ready; while :; do sleep 0.05; done'),
    );
    await running.says('ready');
    running.signal('SIGTERM');
    expect((await running.outcome).code).toBe(143);
  });

  it('passes on every signal that came, in order', async () => {
    const script = `for s in HUP INT QUIT USR1 USR2 ALRM; do trap "echo got $s" $s; done
      trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done`;
    const running = scratch.start(sh(script));
    await running.says('ready');
    for (const name of ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'ALRM'] as const) {
      running.signal(`SIG${name}`);
      await running.says(`got ${name}`);
    }
    running.signal('SIGTERM');
    expect((await running.outcome).code).toBe(0);
  });

  it('exits with 128 + n when signal n ended the program', async () => {
    const id = scratch.id();
    const running = scratch.start(['run', id, '--', 'sh', '-c', 'echo ready; sleep 60']);
    await running.says('ready');
    expect((await scratch.run(['kill', id, 'KILL'])).code).toBe(0);
    expect((await running.outcome).code).toBe(137);
  });

  it('keeps the record with --keep, which then tells the status', async () => {
    const id = scratch.id();
    expect((await scratch.run(['run', '--keep', id, '--', 'sh', '-c', 'exit 3'])).code).toBe(3);
    expect((await scratch.run(['wait', id])).stdout).toBe('3\n');
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });
});

describe.skipIf(!isRoot || !hasBusybox)(
  `pilotlight run ID${missing({ root: isRoot, busybox: hasBusybox })}`,
  () => {
    it('returns exit status 7 of a busybox bundle as 7', async () => {
      const bundle = scratch.bundle('echo hello; exit 7');
      const outcome = await scratch.run(['run', '--bundle', bundle, scratch.id()]);
      expect(outcome).toEqual({ code: 7, stdout: 'hello\n', stderr: '' });
    });

    it('needs no rights for a bundle that makes a user namespace', async () => {
      const uid = 65_534;
      const home = scratch.path('home');
      mkdirSync(home);
      chownSync(home, uid, uid);
      chmodSync(scratch.directory, 0o755);
      const bundle = scratch.bundle('id -u; exit 7', (spec) => {
        const own = [{ containerID: 0, hostID: uid, size: 1 }];
        Object.assign(spec.linux!, { uidMappings: own, gidMappings: own });
        const kinds = ['user', 'pid', 'mount', 'ipc', 'uts'] as const;
        spec.linux!.namespaces = kinds.map((type) => ({ type }));
        // Without a network namespace of its own there is no sysfs for this user.
        spec.mounts = spec.mounts!.filter(
          ({ type }) => !['sysfs', 'devpts', 'cgroup'].includes(type!),
        );
      });
      // The places of its mounts are made in there.
      chownSync(join(bundle, 'rootfs'), uid, uid);
      const args = ['--root', join(home, 'store'), 'run', '-b', bundle, scratch.id()];
      expect(await runProgram(launcher, args, { uid, gid: uid })).toEqual({
        code: 7,
        stdout: '0\n',
        stderr: '',
      });
    });

    it('takes the bundle in the current directory', async () => {
      const cwd = scratch.bundle('exit 4');
      expect((await scratch.run(['run', scratch.id()], { cwd })).code).toBe(4);
    });

    it('works with a Node that may not fork itself, through a helper process', async () => {
      const bundle = scratch.bundle('exit 5');
      const program = new URL('../../packages/cli/dist/bin/pilotlight.js', import.meta.url)
        .pathname;
      const args = [program, '--root', scratch.root, 'run', '-b', bundle, scratch.id()];
      expect((await runProgram(process.execPath, args)).code).toBe(5);
    });
  },
);

describe.skipIf(!isRoot || !hasBusybox || !hasRunc)(
  `pilotlight run and runc run${missing({ root: isRoot, busybox: hasBusybox, runc: hasRunc })}`,
  () => {
    const both = async (script: string): Promise<[unknown, unknown]> => {
      const bundle = scratch.bundle(script, (spec) => {
        // An older runc has no objection to a cgroup namespace, but another view of this one's mount.
        spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup');
        spec.mounts = spec.mounts!.filter(({ type }) => type !== 'cgroup');
      });
      const args = ['run', '--bundle', bundle];
      const reference = await runProgram('runc', [
        '--root',
        scratch.path('runc'),
        ...args,
        scratch.id(),
      ]);
      const ours = await scratch.run([...args, scratch.id()]);
      return [ours, reference];
    };

    it.each([
      'id; hostname; exit 7',
      'ps',
      // Where what is mounted, with the options that count; ids of mounts and devices differ in any two runs.
      "sed 's/ - / /' /proc/self/mountinfo | while read a b c d e f g h; do echo $e $f; done | sort",
      'grep -E "^(Cap|NoNewPrivs|Groups|Uid|Gid)" /proc/self/status',
      'cat /proc/self/limits | grep "open files"',
      'ls -l /dev | sed "s/ [A-Z][a-z][a-z] .*:.. / /"; ls /proc/self/fd',
      'echo $PATH $TERM $HOME; pwd; cat /proc/self/oom_score_adj',
      'kill -9 $$; exit 1',
    ])('give the same for %s', async (script) => {
      const [ours, reference] = await both(script);
      expect(ours).toEqual(reference);
    });

    it('print a state with the same keys in the same order, and tables of the same shape', async () => {
      const bundle = scratch.bundle('sleep 60');
      const [id, runcId] = [scratch.id(), scratch.id()];
      const runc = ['--root', scratch.path('runc')];
      const pidFile = scratch.path('runc-pid');
      // Detached, and with streams that end.
      await runProgram('sh', [
        '-c',
        `runc ${runc.join(' ')} run -d --pid-file ${pidFile} -b ${bundle} ${runcId} >/dev/null 2>&1 </dev/null`,
      ]);
      expect(scratch.detach(['-b', bundle, '--pid-file', scratch.path('pid'), id])).toBe(0);
      try {
        const [ours, reference] = [
          await scratch.run(['state', id]),
          await runProgram('runc', [...runc, 'state', runcId]),
        ];
        const shape = (text: string): string => text.replaceAll(/: .*?(,?)$/gm, ': …$1');
        expect(shape(ours.stdout)).toBe(shape(reference.stdout));
        const [table, runcTable] = [
          await scratch.run(['list']),
          await runProgram('runc', [...runc, 'list']),
        ];
        const headings = (text: string): string[] => text.split('\n')[0]!.split(/ +/);
        expect(headings(table.stdout)).toEqual(headings(runcTable.stdout));
        const list = await scratch.run(['list', '--format', 'json']);
        const runcList = await runProgram('runc', [...runc, 'list', '--format', 'json']);
        const keys = (text: string): string[] => Object.keys((JSON.parse(text) as object[])[0]!);
        expect(keys(list.stdout)).toEqual(keys(runcList.stdout));
        expect((await scratch.run(['list', '-q'])).stdout).toBe(`${id}\n`);
        const { pid } = JSON.parse(ours.stdout) as { pid: number };
        expect(readFileSync(scratch.path('pid'), 'utf8')).toBe(String(pid));
        expect(readFileSync(pidFile, 'utf8')).toMatch(/^\d+$/);
      } finally {
        await scratch.run(['delete', '--force', id]);
        await runProgram('runc', [...runc, 'delete', '--force', runcId]);
      }
      expect((await scratch.run(['list', '--format', 'json'])).stdout).toBe('null\n');
    });

    it('write a config.json that the other runs as well', async () => {
      const bundle = scratch.bundle('exit 0');
      const file = `${bundle}/config.json`;
      await runProgram('rm', [file]);
      expect((await runProgram('runc', ['spec', '--bundle', bundle])).code).toBe(0);
      const theirs = JSON.parse(readFileSync(file, 'utf8')) as {
        process: { terminal: boolean; args: string[] };
      };
      theirs.process = { ...theirs.process, terminal: false, args: ['sh', '-c', 'exit 6'] };
      writeFileSync(file, JSON.stringify(theirs));
      expect((await scratch.run(['run', '-b', bundle, scratch.id()])).code).toBe(6);
    });
  },
);
