// What a program sees that was launched from the stock bundle.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostRootSpec, launch } from '@pilotlight/init';
import { receiveFile, SeqpacketSocket, socketpair } from '@pilotlight/scm-rights';
import { ReadStream } from 'node:tty';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, runIn, shellSpec, textOf } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');

describe.skipIf(lacking !== '')(`launch, from inside${lacking}`, () => {
  const bundle = useCleanBundle();

  it('launch returns the exit status', async () => {
    const { status } = await runIn(bundle, 'exit 7');
    expect(status).toMatchObject({ code: 7, signal: null });
  });

  it('launch runs the program as the first process of its own pid namespace', async () => {
    const { stdout } = await runIn(bundle, 'echo $$; ps -o pid,args | tail -n +2 | wc -l');
    expect(stdout.split('\n')[0]).toBe('1');
  });

  it('launch connects pipes', async () => {
    const process = await launch(
      { id: newId(), spec: shellSpec('cat; echo done >&2'), bundle: bundle.path },
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const text = 'line\n'.repeat(50_000);
    process.stdin!.end(text);
    const [stdout, stderr] = await Promise.all([textOf(process.stdout), textOf(process.stderr)]);
    expect(stdout === text).toBe(true);
    expect(stderr).toBe('done\n');
    expect((await process.exited).code).toBe(0);
  });

  it('launch gives /dev/null of the container for a stream that is ignored', async () => {
    const { stdout } = await runIn(
      bundle,
      'cat; ls -l /proc/self/fd/0; stat -c %t:%T /dev/stdin -L',
    );
    expect(stdout).toContain('-> /dev/null');
    expect(stdout).toContain('1:3');
  });

  it('launch hands on signals', async () => {
    for (const [signal, number] of [
      ['SIGTERM', 15],
      ['SIGUSR1', 10],
      ['SIGKILL', 9],
    ] as const) {
      const process = await launch(
        {
          id: newId(),
          spec: shellSpec(
            `trap 'exit 40' TERM; trap 'exit 41' USR1; echo ready; while :; do sleep 0.05; done`,
          ),
          bundle: bundle.path,
        },
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      for await (const _ of process.stdout!) break;
      process.signal(signal);
      const expected = { SIGTERM: 40, SIGUSR1: 41, SIGKILL: null }[signal];
      expect(await process.exited).toMatchObject({
        code: expected,
        signal: expected === null ? number : null,
      });
      // Too late, and no error.
      process.signal('SIGTERM');
    }
  });

  it('launch starts the program with no signal blocked or ignored', async () => {
    const { stdout } = await runIn(bundle, '', (spec) => {
      spec.process.args = ['grep', '^Sig', '/proc/self/status'];
    });
    for (const set of ['SigBlk', 'SigIgn', 'SigCgt']) {
      expect(stdout).toContain(`${set}:\t0000000000000000`);
    }
  });

  it('launch leaves no descriptor open but the streams', async () => {
    // sh has none of its own when it runs a single command.
    const { stdout } = await runIn(bundle, '', (spec) => {
      spec.process.args = ['ls', '/proc/self/fd'];
    });
    // The fourth is the directory that ls reads.
    expect(stdout.trim().split('\n')).toEqual(['0', '1', '2', '3']);
  });

  it('launch gives user, groups and umask', async () => {
    const { stdout } = await runIn(
      bundle,
      'id; umask; grep -E "^(Uid|Gid|Groups)" /proc/self/status; echo $HOME',
      (spec) => {
        spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 4000], umask: 0o27 };
      },
    );
    expect(stdout).toContain('uid=1000(user) gid=1001 groups=5,4000');
    expect(stdout).toContain('0027');
    expect(stdout).toContain('Uid:\t1000\t1000\t1000\t1000');
    expect(stdout).toContain('Gid:\t1001\t1001\t1001\t1001');
    expect(stdout).toContain('/home/user');
  });

  it('launch gives exactly the capabilities of the configuration', async () => {
    const script = 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status';
    const kill = 1n << 5n;
    const chown = 1n;
    const mask = (bits: bigint): string => bits.toString(16).padStart(16, '0');
    const asRoot = await runIn(bundle, script, (spec) => {
      const sets = ['CAP_KILL', 'CAP_CHOWN'];
      spec.process.capabilities = { bounding: sets, permitted: sets, effective: ['CAP_KILL'] };
    });
    // execve(2) as root makes the permitted and effective sets from the bounding one.
    expect(asRoot.stdout).toContain(`CapBnd:\t${mask(kill | chown)}`);
    expect(asRoot.stdout).toContain(`CapPrm:\t${mask(kill | chown)}`);
    const asUser = await runIn(bundle, script, (spec) => {
      const sets = ['CAP_KILL', 'CAP_CHOWN'];
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.process.noNewPrivileges = false;
      spec.process.capabilities = {
        bounding: sets,
        permitted: sets,
        effective: sets,
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      };
    });
    expect(asUser.stdout).toBe(
      [
        `CapInh:\t${mask(kill)}`,
        `CapPrm:\t${mask(kill)}`,
        `CapEff:\t${mask(kill)}`,
        `CapBnd:\t${mask(kill | chown)}`,
        `CapAmb:\t${mask(kill)}`,
        'NoNewPrivs:\t0',
        '',
      ].join('\n'),
    );
    const none = await runIn(bundle, script, (spec) => void delete spec.process.capabilities);
    expect(none.stdout.match(/0000000000000000/g)).toHaveLength(5);
    expect(none.stdout).toContain('NoNewPrivs:\t1');
  });

  it('launch sets limits, exactly', async () => {
    const { stdout } = await runIn(bundle, 'cat /proc/self/limits', (spec) => {
      spec.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 18_446_744_073_709_551_615n },
        { type: 'RLIMIT_FSIZE', soft: 9_007_199_254_740_993n, hard: 9_007_199_254_740_993n },
      ];
    });
    expect(stdout).toMatch(/Max open files +100 +200 /);
    expect(stdout).toMatch(/Max core file size +0 +unlimited /);
    expect(stdout).toMatch(/Max file size +9007199254740993 +9007199254740993 /);
  });

  it('launch gives a program the usual soft limit of open files where nothing is configured', async () => {
    const { stdout } = await runIn(
      bundle,
      'ulimit -Sn',
      (spec) => void delete spec.process.rlimits,
    );
    expect(stdout).toBe('1024\n');
  });

  it('launch gives host name, working directory, arguments and environment', async () => {
    const { stdout } = await runIn(bundle, '', (spec) => {
      spec.hostname = 'box';
      spec.domainname = 'example';
      spec.process.cwd = '/data';
      spec.process.env = ['PATH=/bin', 'GREETING=hello  world', 'EMPTY=', 'UMLAUT=ß'];
      spec.process.args = [
        'sh',
        '-c',
        'hostname; cat /proc/sys/kernel/domainname; pwd; for a in "$0" "$@"; do echo "<$a>"; done; env | sort',
        'zero',
        'one two',
        '',
        '"quoted"',
        '-x',
      ];
    });
    expect(stdout.split('\n').slice(0, 8)).toEqual([
      'box',
      'example',
      '/data',
      '<zero>',
      '<one two>',
      '<>',
      '<"quoted">',
      '<-x>',
    ]);
    expect(stdout).toContain('GREETING=hello  world\n');
    expect(stdout).toContain('EMPTY=\n');
    expect(stdout).toContain('UMLAUT=ß\n');
    // HOME is added from the passwd file of the root, PWD and SHLVL by the shell.
    expect(stdout.match(/^[^<\s]+=/gm)).toHaveLength(7);
  });

  it('launch makes a working directory that is missing where the root can be written', async () => {
    const { stdout } = await runIn(bundle, 'pwd; stat -c %a .', (spec) => {
      spec.process.cwd = '/data/made/for/this';
    });
    expect(stdout).toBe('/data/made/for/this\n755\n');
  });

  it('launch brings loopback up', async () => {
    const { stdout } = await runIn(
      bundle,
      'ip -o link; ping -c1 -W1 127.0.0.1 >/dev/null && echo alive',
      (spec) => {
        const sets = ['CAP_NET_RAW'];
        spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
      },
    );
    expect(stdout).toMatch(/lo: <LOOPBACK,UP,LOWER_UP>/);
    expect(stdout).toContain('alive');
    expect(stdout).not.toContain('eth0');
  });

  it('launch makes the default devices, and their links', async () => {
    const { stdout } = await runIn(
      bundle,
      'cd /dev; for d in null zero full random urandom tty; do stat -c "%n %F %a %u:%g %t:%T" $d; done; for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done; head -c 3 zero | xxd -p; echo x > null; echo x > full',
    );
    expect(stdout.split('\n')).toEqual([
      'null character special file 666 0:0 1:3',
      'zero character special file 666 0:0 1:5',
      'full character special file 666 0:0 1:7',
      'random character special file 666 0:0 1:8',
      'urandom character special file 666 0:0 1:9',
      'tty character special file 666 0:0 5:0',
      'fd /proc/self/fd',
      'stdin /proc/self/fd/0',
      'stdout /proc/self/fd/1',
      'stderr /proc/self/fd/2',
      'ptmx pts/ptmx',
      '000000',
      '',
    ]);
  });

  it('launch masks paths, and makes others read-only', async () => {
    const { stdout } = await runIn(
      bundle,
      [
        'wc -c < /proc/keys',
        'wc -c < /proc/timer_list',
        'ls -A /proc/acpi /sys/firmware 2>/dev/null | grep -v : | grep -c .',
        'echo 1 > /proc/sys/kernel/printk 2>/dev/null || echo refused',
        'echo h > /proc/sysrq-trigger 2>/dev/null || echo refused',
        'umount /proc/sys 2>/dev/null || echo refused',
      ].join('; '),
      (spec) => {
        const sets = ['CAP_DAC_OVERRIDE'];
        spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
      },
    );
    expect(stdout).toBe('0\n0\n0\nrefused\nrefused\nrefused\n');
  });

  it('launch makes the root read-only, and writable where it is asked to be', async () => {
    const script =
      'touch /data/file 2>&1 && echo written; touch /tmp/x 2>&1; touch /dev/shm/x && echo shm';
    const readonly = await runIn(bundle, script);
    expect(readonly.stdout).toContain('Read-only file system');
    expect(readonly.stdout).toMatch(/shm\n$/);
    const writable = await runIn(bundle, script, (spec) => void (spec.root.readonly = false));
    expect(writable.stdout).toBe('written\nshm\n');
  });

  it('launch lets the device controller deny what the configuration does not allow', async () => {
    const script =
      'mknod /dev/disk b 254 0 && echo made; cat /dev/disk 2>&1 | head -c 100; head -c1 /dev/zero | wc -c; mknod /dev/mem c 1 1; cat /dev/mem 2>&1 | head -c 100';
    const sets = ['CAP_MKNOD', 'CAP_DAC_OVERRIDE'];
    const { stdout } = await runIn(bundle, script, (spec) => {
      spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
      spec.process.noNewPrivileges = false;
    });
    expect(stdout).toContain('made\n');
    expect(stdout).toMatch(/disk': Operation not permitted/);
    expect(stdout).toContain('\n1\n');
    expect(stdout).toMatch(/mem': Operation not permitted/);
  });

  it('launch shows the own cgroup as the root of the hierarchy', async () => {
    const { stdout } = await runIn(
      bundle,
      'cut -d: -f3 /proc/self/cgroup | sort -u; ls /sys/fs/cgroup | wc -l',
    );
    expect(stdout.split('\n')[0]).toBe('/');
    expect(Number(stdout.split('\n')[1])).toBeGreaterThan(0);
  });

  it('launch removes cgroups that the program made inside its own as well', async () => {
    const { stdout } = await runIn(
      bundle,
      'cd /sys/fs/cgroup; [ -d pids ] && cd pids; mkdir -p a/b && echo 1 > a/b/cgroup.procs && echo moved; kill -9 -1; exit 0',
      (spec) => {
        const mount = spec.mounts!.find(({ type }) => type === 'cgroup')!;
        mount.options = mount.options!.filter((option) => option !== 'ro');
      },
    );
    expect(stdout).toBe('moved\n');
    // What is left is found after each test.
  });

  it('launch binds files and directories, read-only where asked, below as well', async () => {
    const source = join(bundle.path, 'source');
    mkdirSync(join(source, 'inner'), { recursive: true });
    writeFileSync(join(source, 'file'), 'from outside\n');
    const { stdout } = await runIn(
      bundle,
      'cat /data/a/file /data/one; touch /data/a/x 2>&1; touch /data/w/written && echo ok; cat /data/deep/made/file',
      (spec) => {
        spec.mounts!.push(
          { destination: '/data/a', source, options: ['rbind', 'rro'] },
          { destination: '/data/one', source: 'source/file', options: ['bind'] },
          { destination: '/data/w', source: 'source/inner', options: ['bind', 'rw'] },
          { destination: '/data/deep/made', type: 'bind', source, options: ['ro', 'nosuid'] },
        );
        spec.root.readonly = false;
      },
    );
    expect(stdout).toContain('from outside\nfrom outside\n');
    expect(stdout).toContain('Read-only file system');
    expect(stdout).toContain('ok\nfrom outside\n');
  });

  it('launch fills a read-only tmpfs and a read-only /dev before it seals them', async () => {
    const { stdout, status } = await runIn(
      bundle,
      'touch /dev/x 2>&1; touch /run/x 2>&1; touch /run/inner/x && ls -A /run; echo > /dev/null',
      (spec) => {
        spec.mounts!.find(({ destination }) => destination === '/dev')!.options!.push('ro');
        spec.root.readonly = false;
        spec.mounts!.push(
          { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['ro'] },
          { destination: '/run/inner', type: 'tmpfs', source: 'tmpfs' },
        );
      },
    );
    expect(stdout.match(/Read-only file system/g)).toHaveLength(2);
    expect(stdout).toMatch(/inner\n$/);
    expect(status.code).toBe(0);
  });

  it('launch gives a terminal of the wanted size through the console socket', async () => {
    const [ours, theirs] = socketpair('seqpacket');
    const socket = new SeqpacketSocket(ours);
    const process = await launch(
      {
        id: newId(),
        spec: shellSpec(
          'tty; stty size; ls -l /dev/console; test -t 0 && test -t 1 && test -t 2 && echo all; echo x > /dev/tty; sleep 0.2; read line; echo "got $line"; exit 3',
          (spec) => {
            spec.process.terminal = true;
            spec.process.consoleSize = { height: 33, width: 111 };
            spec.process.user = { uid: 1000, gid: 1000 };
          },
        ),
        bundle: bundle.path,
      },
      { consoleSocket: theirs },
    );
    theirs.close();
    const { name, fd } = await receiveFile(socket);
    expect(name).toBe('/dev/ptmx');
    socket.close();
    const terminal = new ReadStream(fd.release());
    let text = '';
    terminal.on('data', (part: Buffer) => (text += part.toString()));
    // The last reader of the other side has gone: EIO, on Linux.
    const closed = new Promise((resolve) => terminal.on('error', resolve).on('close', resolve));
    while (!text.includes('x\r\n')) await sleep(5);
    // oxlint-disable-next-line typescript/no-unsafe-call -- a terminal can be written to
    (terminal as unknown as { write(text: string): void }).write('hello\n');
    expect((await process.exited).code).toBe(3);
    await closed;
    terminal.destroy();
    expect(text).toContain('/dev/pts/0\r\n33 111\r\n');
    expect(text).toMatch(/crw--w---- +1 user +\S+ +136, +0 .*\/dev\/console/);
    expect(text).toContain('all\r\nx\r\n');
    expect(text).toContain('got hello\r\n');
  });

  it('launch on the root of the host lets nothing be written but what is private', async () => {
    const spec = hostRootSpec({
      args: [
        'sh',
        '-c',
        // Every mount point that the sandbox did not make itself.
        `while read -r _ _ _ _ point options _; do
           case $point in /proc*|/dev*|/tmp*|/run*) continue;; esac
           case ,$options, in *,ro,*) ;; *) echo "writable: $point";; esac
         done < /proc/self/mountinfo
         touch /pilotlight-was-here 2>/dev/null && echo written
         touch /var/tmp/pilotlight-was-here 2>/dev/null && echo written
         for d in /sys/fs/cgroup/*/; do mkdir "$d/${newId()}" 2>/dev/null && echo "cgroup: $d"; done
         touch /tmp/private && echo private; ls /run; id -u; exit 5`,
      ],
      cwd: '/usr',
    });
    const process = await launch(
      { id: newId(), spec, bundle: '/' },
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const [stdout, stderr] = await Promise.all([textOf(process.stdout), textOf(process.stderr)]);
    expect({ stdout, stderr }).toEqual({ stdout: 'private\n0\n', stderr: '' });
    expect((await process.exited).code).toBe(5);
  });
});
