// Launches by a user without rights, who has no help but newuidmap and newgidmap.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpec, rootlessSpec } from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { missing } from './init-bundle.ts';
import { parseMountinfo } from './mountinfo.ts';
import {
  rootlessGid,
  rootlessNeeds,
  rootlessUid,
  subGid,
  subUid,
  useRootlessUser,
} from './rootless-user.ts';

const lacking = missing('root', 'busybox-static', 'uidmap') || (await rootlessNeeds());
const hasRunc = missing('runc') === '';
const hasV2 = readFileSync('/proc/filesystems', 'utf8').includes('cgroup2');

type Seen = {
  stdout: string;
  stderr: string;
  code: number | null;
  signal: number | null;
  cgroups: string[];
  phases: string[];
};
type Failure = Partial<
  Record<'name' | 'code' | 'step' | 'syscall' | 'errnoCode' | 'path' | 'field', string>
> & { message: string; hint: string };

describe.skipIf(lacking !== '')(`rootless launch${lacking}`, () => {
  const user = useRootlessUser();
  const see = (script: string, change = '() => {}'): Promise<Seen> =>
    user.runProgram(`print(await see(shell(${JSON.stringify(script)}, ${change})))`);

  it('launch maps the own id alone, and groups cannot be set', async () => {
    const seen = await see('id -u; id -g; cat /proc/self/[ug]id_map /proc/self/setgroups');
    expect(seen).toMatchObject({ stderr: '', code: 0, cgroups: [] });
    const lines = seen.stdout.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '));
    expect(lines).toEqual(['0', '0', `0 ${rootlessGid} 1`, `0 ${rootlessUid} 1`, 'deny', '']);
    expect(seen.phases).toContain('id maps');
    expect(seen.phases).not.toContain('enter cgroup');
  });

  it('launch maps ranges with newuidmap and newgidmap, and the program has any user and groups of them', async () => {
    const seen = await see(
      'cat /proc/self/[ug]id_map /proc/self/setgroups; id; stat -c %u:%g /dev/pts /tmp; touch /tmp/mine; stat -c %u:%g /tmp/mine; grep ^CapEff /proc/self/status',
      `(spec) => {
        withRange(spec);
        spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 4000] };
        spec.mounts.find(({ destination }) => destination === '/dev/pts').options.push('gid=5');
        spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['uid=7', 'mode=1777'] });
      }`,
    );
    expect(seen).toMatchObject({ stderr: '', code: 0 });
    const text = seen.stdout.replaceAll(/ +/g, ' ');
    for (const line of [`0 ${rootlessGid} 1`, `1 ${subGid} 65536`, `0 ${rootlessUid} 1`]) {
      expect(text).toContain(line);
    }
    expect(text).toContain(`1 ${subUid} 65536\nallow\nuid=1000(user) gid=1001 groups=5,4000\n`);
    expect(text).toContain('0:0\n7:0\n1000:1001\nCapEff:\t0000000000000000\n');
  });

  it('launch maps a range of users and the own group, for which newgidmap forbids setgroups', async () => {
    const seen = await see(
      'cat /proc/self/setgroups; id -u',
      `(spec) => { withRange(spec); spec.linux.gidMappings.pop(); spec.process.user = { uid: 8 }; }`,
    );
    expect(seen).toMatchObject({ stdout: 'deny\n8\n', stderr: '' });
  });

  describe('what stands in the way', () => {
    const failureWith = (
      change: string,
      options?: Parameters<typeof user.runProgram>[1],
    ): Promise<Failure> =>
      user.runProgram(`print(await failureOf(shell('exit 99', ${change})))`, options);

    it('launch says that newuidmap is not there', async () => {
      expect(await failureWith('withRange', { path: '/nowhere' })).toMatchObject({
        code: 'ERR_INIT_LAUNCH',
        step: 'id maps',
        errnoCode: 'ENOENT',
        path: 'newuidmap',
        message: expect.stringContaining('there is no such program'),
        hint: expect.stringMatching(/newuidmap is not installed.*package uidmap/),
      });
    });

    it('launch says that newgidmap is not there', async () => {
      const bin = join(user.path, 'bin');
      mkdirSync(bin, { recursive: true });
      const before = 'cp -a "$(command -v newuidmap)" "$BUNDLE/bin/"';
      expect(await failureWith('withRange', { path: bin, before })).toMatchObject({
        step: 'id maps',
        path: 'newgidmap',
        hint: expect.stringMatching(/newgidmap is not installed/),
      });
      rmSync(bin, { recursive: true });
    });

    it('launch names /etc/subuid to a user without sub-ids', async () => {
      expect(await failureWith('withRange', { subIds: 'somebody:100000:65536\n' })).toMatchObject({
        step: 'id maps',
        path: 'newuidmap',
        message: expect.stringMatching(/newuidmap.*not allowed/s),
        hint: expect.stringMatching(/\/etc\/subuid has no ids for the user pilot.*usermod/),
      });
    });

    it('launch says that ids of somebody else cannot be mapped', async () => {
      const failure = await failureWith(
        `(spec) => { withRange(spec); spec.linux.uidMappings[1].hostID = 900000; }`,
      );
      expect(failure).toMatchObject({
        step: 'id maps',
        hint: expect.stringMatching(/must be ranges that \/etc\/subuid gives this user/),
      });
    });

    it('launch refuses an owner that is not mapped before anything is done', async () => {
      expect(
        await failureWith(
          `(spec) => spec.mounts.find(({ destination }) => destination === '/dev/pts').options.push('gid=5')`,
        ),
      ).toMatchObject({
        name: 'InvalidConfigError',
        field: 'mounts[2].options',
        hint: expect.stringContaining('rootlessSpec()'),
      });
    });

    it('launch says that a user namespace would help, and what makes one', async () => {
      const failure = await user.runProgram<Failure>(
        `print(await failureOf(noTerminal(stockSpec())))`,
      );
      expect(failure).toMatchObject({
        step: 'fork',
        syscall: 'clone3',
        errnoCode: 'EPERM',
        hint: expect.stringMatching(/launch as root, or add a user namespace.*rootlessSpec\(\)/),
      });
    });

    it('launch says that no user namespaces are allowed here', async () => {
      const failure = await failureWith('() => {}', {
        wrapper: [
          'unshare',
          '--user',
          '--map-root-user',
          'sh',
          '-c',
          'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"',
          'sh',
        ],
      });
      expect(failure).toMatchObject({
        step: 'fork',
        syscall: 'clone3',
        errnoCode: 'ENOSPC',
        hint: expect.stringMatching(/user\.max_user_namespaces is 0/),
      });
    });

    it('launch says that a sysfs needs a network namespace of one’s own', async () => {
      const failure = await failureWith(
        `(spec) => { spec.mounts[5] = { destination: '/sys', type: 'sysfs', source: 'sysfs' }; }`,
      );
      expect(failure).toMatchObject({
        step: 'mounts',
        errnoCode: 'EPERM',
        hint: expect.stringMatching(/network namespace/),
      });
    });

    it('launch says that the OOM score cannot be lowered', async () => {
      const failure = await failureWith(`(spec) => void (spec.process.oomScoreAdj = -900)`);
      expect(failure).toMatchObject({
        step: 'session',
        errnoCode: 'EACCES',
        hint: expect.stringMatching(/CAP_SYS_RESOURCE/),
      });
    });

    it('launch says which device the host has not', async () => {
      const failure = await failureWith(
        `(spec) => void (spec.linux.devices = [{ path: '/dev/nosuch', type: 'c', major: 1, minor: 3 }])`,
      );
      expect(failure).toMatchObject({
        step: 'devices',
        errnoCode: 'ENOENT',
        hint: expect.stringMatching(/the one of the host is mounted, and it has none/),
      });
    });
  });

  it.skipIf(!hasRunc)(
    'rootlessSpec makes of a specification what runc spec --rootless does',
    async () => {
      const specOf = async (...flags: string[]): Promise<string> => {
        const file = join(user.path, 'config.json');
        rmSync(file, { force: true });
        await user.runCommand(['runc', 'spec', ...flags, '--bundle', user.path]);
        const text = readFileSync(file, 'utf8');
        rmSync(file);
        return text;
      };
      const ours = rootlessSpec(parseSpec(await specOf(), 'runc spec'), {
        uid: rootlessUid,
        gid: rootlessGid,
      });
      expect(ours).toEqual(parseSpec(await specOf('--rootless'), 'runc spec --rootless'));
    },
  );

  it.skipIf(!hasRunc)(
    'launch shows inside what runc shows of the same rootless bundle',
    async () => {
      const script =
        'grep -E "^(Uid|Gid|Groups|Umask|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp):" /proc/self/status; cat /proc/self/limits /proc/self/oom_score_adj; env | sort; hostname; cd /dev; for f in $(ls -A | sort); do stat -c "%n %F %a %u:%g %t:%T" $f; done; cat /proc/self/setgroups; echo MOUNTS; cat /proc/self/mountinfo';
      // Newer runc has a cgroup namespace where its specification has one, as ours; this is for all.
      const change = `(spec) => namespaces(spec, 'cgroup')`;
      const ours = await see(script, change);
      const spec = await user.runProgram(`print(shell(${JSON.stringify(script)}, ${change}))`);
      writeFileSync(join(user.path, 'config.json'), JSON.stringify(spec));
      const state = join(user.path, 'state');
      const args = ['--root', state, 'run', '--bundle', user.path, 'rootless-beside'];
      const theirs = await user.runCommand(['runc', ...args]);
      rmSync(join(user.path, 'config.json'));
      rmSync(state, { recursive: true, force: true });
      const [ourFacts = '', ourMounts = ''] = ours.stdout.split('MOUNTS\n');
      const [theirFacts = '', theirMounts = ''] = theirs.stdout.split('MOUNTS\n');
      expect(ourFacts).toBe(theirFacts);
      // The configuration says "ro"; runc leaves the directory of the v1 hierarchies writable.
      const isCgroupDirectory = (mount: { mountpoint: string; fstype: string; source: string }) =>
        mount.mountpoint === '/sys/fs/cgroup' && mount.fstype === 'tmpfs';
      const mounts = (text: string) =>
        parseMountinfo(text).filter((mount) => !isCgroupDirectory(mount));
      expect(mounts(ourMounts)).toEqual(mounts(theirMounts));
    },
  );

  it('launch makes the whole stock set-up with a network of its own', async () => {
    const seen = await user.runProgram<Seen>(
      `const spec = noTerminal(rootlessSpec(stockSpec(), { keepNetwork: true }));
       spec.process.args = ['sh', '-c', ${JSON.stringify(
         'cat /proc/self/mountinfo; echo; ip -o addr; echo x > /dev/null && head -c1 /dev/zero | wc -c; head -c1 /proc/keys | wc -c; ls -A /sys/firmware; ls /sys/class/net; echo a > /sys/x; touch /x; ls -l /dev/ptmx',
       )}];
       print(await see(spec));`,
    );
    const seenMounts = parseMountinfo(seen.stdout);
    const typeAt = (mountpoint: string): string | undefined =>
      seenMounts.findLast((mount) => mount.mountpoint === mountpoint)?.fstype;
    expect(
      ['/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys'].map((path) => typeAt(path)),
    ).toEqual(['proc', 'tmpfs', 'devpts', 'tmpfs', 'mqueue', 'sysfs']);
    // The host's nodes, bound.
    for (const device of ['null', 'zero', 'full', 'random', 'urandom', 'tty']) {
      expect(seenMounts.find(({ mountpoint }) => mountpoint === `/dev/${device}`)?.root).toMatch(
        new RegExp(`/${device}$`),
      );
    }
    expect(seen.stdout).toMatch(/lo +inet 127\.0\.0\.1.*\n[^]*\n1\n0\nlo\n.*ptmx -> pts\/ptmx\n$/);
    expect(seen.stderr.match(/Read-only file system/g)).toHaveLength(2);
  });

  it('launch runs a command on the root of the host, where nothing but what is private can be written', async () => {
    const seen = await user.runProgram<Seen>(
      `print(await see(rootlessSpec(hostRootSpec({ args: ['sh', '-c', ${JSON.stringify(
        'id -u; touch /x /var/tmp/x 2>&1 | grep -c Read-only; touch /tmp/x && ls /tmp /run; ls /sys/class/net; ls -A /proc/acpi /sys/firmware',
      )}] }), { keepNetwork: true })))`,
    );
    expect(seen).toMatchObject({ code: 0, stderr: expect.not.stringContaining('x') });
    expect(seen.stdout).toMatch(/^0\n2\n\/run:\n\n\/tmp:\nx\n/);
  });

  it('launch gives a terminal of the container’s own devpts', async () => {
    const terminal = await user.runProgram<{ name: string; code: number; text: string }>(
      `const [ours, theirs] = scmRights.socketpair('seqpacket');
       const spec = rootlessSpec(stockSpec());
       spec.process.args = ['sh', '-c', 'tty; stty size; test -t 0 && echo terminal; echo to-tty > /dev/tty; ls -l /dev/console; exit 3'];
       spec.process.consoleSize = { height: 33, width: 111 };
       const launched = await launch({ id: newId(), spec, bundle }, { consoleSocket: theirs });
       theirs.close();
       const socket = new scmRights.SeqpacketSocket(ours);
       const { name, fd } = await scmRights.receiveFile(socket);
       socket.close();
       const { ReadStream } = await import('node:tty');
       const terminal = new ReadStream(fd.release());
       let text = '';
       terminal.on('data', (part) => (text += part));
       // The last reader of the other side has gone: EIO, on Linux.
       const closed = new Promise((resolve) => terminal.on('error', resolve).on('close', resolve));
       const { code } = await launched.exited;
       await closed;
       terminal.destroy();
       print({ name, code, text });`,
    );
    expect(terminal).toMatchObject({ name: '/dev/ptmx', code: 3 });
    expect(terminal.text).toContain('/dev/pts/0\r\n33 111\r\nterminal\r\nto-tty\r\n');
    expect(terminal.text).toMatch(/crw--w---- +1 root .* 136, +0 .*\/dev\/console/);
  });

  it('launch keeps a writable root in the hands of the user', async () => {
    const seen = await see(
      'touch /data/made /data/given && stat -c %u /data/made && chown 1000:1000 /data/given',
      `(spec) => { withRange(spec); spec.root.readonly = false; for (const set of Object.values(spec.process.capabilities)) set.push('CAP_CHOWN'); }`,
    );
    expect(seen).toMatchObject({ stdout: '0\n', stderr: '', code: 0 });
    const owner = (name: string): number[] => {
      const { uid, gid } = statSync(join(user.rootfs, 'data', name));
      return [uid, gid];
    };
    expect([owner('made'), owner('given')]).toEqual([
      [rootlessUid, rootlessGid],
      [subUid + 999, subGid + 999],
    ]);
    for (const name of readdirSync(join(user.rootfs, 'data')))
      rmSync(join(user.rootfs, 'data', name));
  });

  it.skipIf(missing('libseccomp2') !== '')(
    'launch filters system calls, with and without new privileges',
    async () => {
      const [strict, loose] = await user.runProgram<Seen[]>(
        `const filtered = (noNewPrivileges) => shell('mkdir /dev/shm/a; echo $?; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status', (spec) => {
         spec.process.noNewPrivileges = noNewPrivileges;
         spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }] };
       });
       print([await see(filtered(true)), await see(filtered(false))]);`,
      );
      expect(strict!.stdout).toBe('1\nNoNewPrivs:\t1\nSeccomp:\t2\n');
      expect(loose!.stdout).toBe('1\nNoNewPrivs:\t0\nSeccomp:\t2\n');
      expect(strict!.stderr).toContain('Function not implemented');
    },
  );

  it('launch runs hooks of all kinds', async () => {
    const hooks = await user.runProgram<string[]>(
      `const log = bundle + '/hooks';
       writeFileSync(log, '');
       const hook = (kind, where) => [{ path: '/bin/sh', args: ['sh', '-c', 'echo ' + kind + ' $(id -u) >> ' + where] }];
       const seen = await see(shell('cat /tmp/inside', (spec) => {
         spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
         spec.hooks = {
           createRuntime: hook('createRuntime', log),
           createContainer: hook('createContainer', log),
           startContainer: hook('startContainer', '/tmp/inside'),
           poststart: hook('poststart', log),
           poststop: hook('poststop', log),
         };
       }));
       print([readFileSync(log, 'utf8'), seen.stdout, seen.stderr]);`,
    );
    expect(hooks).toEqual([
      `createRuntime ${rootlessUid}\ncreateContainer 0\npoststart ${rootlessUid}\npoststop ${rootlessUid}\n`,
      'startContainer 0\n',
      '',
    ]);
  });

  it('launch sets the clocks of a time namespace', async () => {
    const seen = await see(
      'cat /proc/uptime',
      `(spec) => { spec.linux.namespaces.push({ type: 'time' }); spec.linux.timeOffsets = { boottime: { secs: 10000000 } }; }`,
    );
    expect(Number(seen.stdout.split(' ')[0])).toBeGreaterThan(10_000_000);
  });

  it('launch makes a FIFO and binds a device of the configuration', async () => {
    const seen = await see(
      'stat -c "%n %F" /dev/fifo; echo x > /dev/other/null && stat -c "%t:%T" /dev/null',
      `(spec) => {
        spec.linux.devices = [{ path: '/dev/fifo', type: 'p' }, { path: '/dev/null', type: 'c', major: 1, minor: 3 }];
      }`,
    );
    expect(seen.stdout).toContain('/dev/fifo fifo\n');
  });

  describe('namespaces of the same user', () => {
    /** `change` has the pid of a process in a user namespace and a network namespace that belongs to it. */
    const inside = (body: string): string =>
      `const beside = spawn('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', 'echo; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'inherit'] });
       await new Promise((resolve) => beside.stdout.once('data', resolve));
       const joining = (script, change = () => {}) => shell(script, (spec) => {
         namespaces(spec, 'user', 'network');
         delete spec.linux.uidMappings;
         delete spec.linux.gidMappings;
         for (const [type, file] of [['user', 'user'], ['network', 'net']]) {
           spec.linux.namespaces.push({ type, path: '/proc/' + beside.pid + '/ns/' + file });
         }
         change(spec);
       });
       const { readlinkSync } = await import('node:fs');
       const theirs = ['user', 'net'].map((file) => readlinkSync('/proc/' + beside.pid + '/ns/' + file)).join('\\n') + '\\n';
       try { ${body} } finally { beside.kill('SIGKILL'); }`;
    const look = 'readlink /proc/self/ns/user; readlink /proc/self/ns/net';

    it('launch joins a network namespace with the user namespace that owns it', async () => {
      const { seen, theirs } = await user.runProgram<{ seen: Seen; theirs: string }>(
        inside(`print({ theirs, seen: await see(joining(${JSON.stringify(look)})) });`),
      );
      expect(seen).toMatchObject({ stdout: theirs, stderr: '', code: 0 });
    });

    it('launch sets oom_score_adj where it joins a user namespace', async () => {
      const seen = await user.runProgram<Seen>(
        inside(
          `print(await see(joining('cat /proc/self/oom_score_adj', (spec) => void (spec.process.oomScoreAdj = 500))));`,
        ),
      );
      expect(seen).toMatchObject({ stdout: '500\n', stderr: '' });
    });

    it('launch in a user namespace that is joined and forbids setgroups refuses groups', async () => {
      const failure = await user.runProgram<Failure>(
        inside(
          `print(await failureOf(joining('exit 99', (spec) => void (spec.process.user.additionalGids = [0]))));`,
        ),
      );
      expect(failure).toMatchObject({
        step: 'credentials',
        syscall: 'setgroups',
        hint: expect.stringMatching(/forbids setgroups\(2\)/),
      });
    });

    it('launch refuses clocks where it joins a user namespace', async () => {
      const failure = await user.runProgram<Failure>(
        inside(`print(await failureOf(joining('exit 99', (spec) => {
          spec.linux.namespaces.push({ type: 'time' });
          spec.linux.timeOffsets = { boottime: { secs: 1 } };
        })));`),
      );
      expect(failure).toMatchObject({ name: 'UnsupportedConfigError', field: 'linux.timeOffsets' });
    });

    it('launch joins every namespace of a rootless container', async () => {
      const { seen, theirs } = await user.runProgram<{ seen: Seen; theirs: string }>(
        `const other = await start(shell('echo ready; exec sleep 1000', withRange));
         await new Promise((resolve) => other.stdout.once('data', resolve));
         const { readlinkSync } = await import('node:fs');
         const files = { user: 'user', pid: 'pid', ipc: 'ipc', uts: 'uts' };
         const theirs = Object.values(files).map((file) => readlinkSync('/proc/' + other.pid + '/ns/' + file)).join('\\n') + '\\n';
         const seen = await see(shell('for f in user pid ipc uts; do readlink /proc/self/ns/$f; done; id -G', (spec) => {
           namespaces(spec, ...Object.keys(files));
           delete spec.linux.uidMappings;
           delete spec.linux.gidMappings;
           delete spec.hostname;
           spec.process.user = { uid: 3, gid: 4, additionalGids: [5] };
           for (const [type, file] of Object.entries(files)) {
             spec.linux.namespaces.push({ type, path: '/proc/' + other.pid + '/ns/' + file });
           }
         }));
         await other[Symbol.asyncDispose]();
         print({ seen, theirs });`,
      );
      expect(seen).toMatchObject({ stdout: `${theirs}4 5\n`, stderr: '' });
    });
  });

  it.each(['', '--net'])(
    'launch works as root of a user namespace that forbids setgroups %s',
    async (net) => {
      const flags = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc'];
      const wrapper = ['unshare', ...flags, ...(net === '' ? [] : [net])];
      const seen = await user.runProgram<Seen[]>(
        `const plain = hostRootSpec({ args: ['sh', '-c', 'id -u; cat /proc/self/setgroups'] });
         for (const mount of plain.mounts) mount.options = mount.options?.filter((option) => option !== 'gid=5');
         print([await see(plain), await see(rootlessSpec(plain))]);`,
        { wrapper },
      );
      for (const one of seen) expect(one).toMatchObject({ stdout: '0\ndeny\n', stderr: '' });
    },
  );

  it('launch shows the launcher’s cgroups where the user may make none, with limits of devices alone', async () => {
    const seen = await see(
      'cat /proc/self/mountinfo',
      `(spec) => {
        namespaces(spec, 'cgroup');
        spec.linux.resources = { devices: [{ allow: false, access: 'rwm' }] };
      }`,
    );
    expect(seen).toMatchObject({ stderr: '', cgroups: [] });
    const mounts = parseMountinfo(seen.stdout).filter(
      ({ mountpoint, options }) =>
        mountpoint.startsWith('/sys/fs/cgroup') && options.startsWith('nodev,'),
    );
    expect(mounts.length).toBeGreaterThan(0);
    for (const { options } of mounts) expect(options.split(',')).toContain('ro');
  });

  it('launch refuses limits where the user may make no cgroup', async () => {
    const failure = await user.runProgram<Failure>(
      `print(await failureOf(shell('exit 99', (spec) => void (spec.linux.cgroupsPath = '/' + newId()))))`,
    );
    expect(failure).toMatchObject({
      step: 'cgroup',
      errnoCode: 'EACCES',
      hint: expect.stringMatching(/delegated to this user/),
    });
  });

  it.skipIf(!hasV2)('launch uses a cgroup of v2 that is delegated to the user', async () => {
    const group = `rootless-${process.pid}`;
    const before = `umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
      mkdir -p /sys/fs/cgroup/${group}/launcher
      for f in . cgroup.procs cgroup.subtree_control cgroup.threads launcher launcher/cgroup.procs; do chown ${rootlessUid} /sys/fs/cgroup/${group}/$f; done
      echo $$ > /sys/fs/cgroup/${group}/launcher/cgroup.procs`;
    try {
      const [named, sibling] = await user.runProgram<(Seen & { left: boolean })[]>(
        `const seen = [];
         for (const cgroupsPath of ['/${group}/inner', undefined]) {
           const one = await see(shell('cat /proc/self/cgroup; grep cgroup2 /proc/self/mountinfo | tail -1', (spec) => {
             if (cgroupsPath !== undefined) spec.linux.cgroupsPath = cgroupsPath;
           }));
           seen.push({ ...one, left: one.cgroups.some((path) => existsSync(path)) });
         }
         print(seen);`,
        { before },
      );
      expect(named).toMatchObject({ cgroups: [`/sys/fs/cgroup/${group}/inner`], left: false });
      expect(named!.stdout).toMatch(/^0::\/\n.* \/ \/sys\/fs\/cgroup ro,/m);
      expect(sibling!.cgroups).toHaveLength(1);
      expect(sibling!.cgroups[0]).toContain(`/sys/fs/cgroup/${group}/`);
      expect(sibling!.left).toBe(false);
    } finally {
      await user.runCommand(['true'], {
        before: `umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; cd /sys/fs/cgroup/${group}; rmdir launcher; cd ..; rmdir ${group}`,
      });
    }
  });

  it('launch ends with every status, and a signal reaches the program', async () => {
    const ends = await user.runProgram<(number | null)[][]>(
      `const ends = [];
       for (const script of ['exit 0', 'exit 7']) {
         const { code, signal } = await see(shell(script));
         ends.push([code, signal]);
       }
       const sleeper = await start(shell('trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'));
       await new Promise((resolve) => sleeper.stdout.once('data', resolve));
       sleeper.signal('SIGTERM');
       ends.push([(await sleeper.exited).code, null]);
       const killed = await start(shell('sleep 1000 & sleep 1000'));
       await killed[Symbol.asyncDispose]();
       const { code, signal } = await killed.exited;
       ends.push([code, signal]);
       print(ends);`,
    );
    expect(ends).toEqual([
      [0, null],
      [7, null],
      [5, null],
      [null, 9],
    ]);
  });

  it('20 launches at once leave nothing behind, whether they succeed or not', async () => {
    const result = await user.runProgram<{ codes: number[]; before: unknown; after: unknown }>(
      `await see(shell('exit 0'));
       const before = belongings();
       const codes = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
         if (index % 4 === 3) {
           const failure = await failureOf(shell('exit', (spec) => { spec.process.args = ['/nosuch']; if (index % 8 === 3) withRange(spec); }));
           return failure.step === 'exec' ? index : failure;
         }
         return (await see(shell('exit ' + index, index % 2 === 0 ? withRange : undefined))).code;
       }));
       let after = belongings();
       for (let attempt = 0; attempt < 50 && JSON.stringify(after) !== JSON.stringify(before); attempt++) {
         await sleep(20);
         after = belongings();
       }
       print({ codes, before, after });`,
    );
    expect(result.codes).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(result.after).toEqual(result.before);
  });
});
