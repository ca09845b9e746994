// Mounts and devices as a program sees them, beside runc's on the same configuration where runc 1.1 can do the same.
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  InvalidConfigError,
  type LaunchError,
  type OciMount,
  type OciRootfsPropagation,
} from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import {
  type BusyboxBundle,
  type Change,
  missing,
  newId,
  runIn,
  shellSpec,
  launchFailure,
} from './init-bundle.ts';
import { mountAt, parseMountinfo, type SeenMount } from './mountinfo.ts';
import { runUnderRunc } from './run-under.ts';

const lacking = missing('root', 'busybox-static', 'runc');
const mountinfo = 'cat /proc/self/mountinfo';
const hasOverlay = readFileSync('/proc/filesystems', 'utf8').includes('overlay');

describe.skipIf(lacking !== '')(`mounts of a launch${lacking}`, () => {
  const bundle = useCleanBundle();

  beforeAll(() => {
    mkdirSync(join(bundle.path, 'source/inner'), { recursive: true });
    writeFileSync(join(bundle.path, 'source/file'), 'text\n');
    symlinkSync('file', join(bundle.path, 'source/link'));
    execFileSync('mount', ['-t', 'tmpfs', 'inner', join(bundle.path, 'source/inner')]);
    execFileSync('mkfifo', [join(bundle.path, 'source/fifo')]);
    bundle.keepWhatIsThere();
  });
  afterAll(() => {
    execFileSync('umount', [join(bundle.path, 'source/inner')]);
  });

  const writable = (...mounts: OciMount[]): Change => {
    return (spec) => {
      spec.root.readonly = false;
      spec.mounts!.push(...mounts);
    };
  };

  /** What is below /data, by both; `names` are compared. */
  async function both(
    change: Change,
    script = mountinfo,
    prepare = (): void => {},
  ): Promise<[ours: string, theirs: string]> {
    prepare();
    const own = await runIn(bundle, script, change);
    prepare();
    const runc = await runUnderRunc(bundle, script, change);
    // runc warns of what is deprecated.
    const complaint = runc.code === 0 ? '' : runc.stderr;
    expect([own.stderr, own.status.code, complaint]).toEqual(['', 0, '']);
    return [own.stdout, runc.stdout];
  }

  const below = (text: string, prefix: string): SeenMount[] =>
    parseMountinfo(text).filter(({ mountpoint }) => mountpoint.startsWith(prefix));

  const failureOf = (change: Change): Promise<LaunchError> =>
    launchFailure(runIn(bundle, 'true', change));

  const bindOptions =
    'ro rw nosuid suid nodev dev noexec exec noatime atime nodiratime diratime relatime norelatime ' +
    'strictatime nostrictatime rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnoatime ' +
    'rnodiratime rdiratime rrelatime rstrictatime defaults ' +
    'private rprivate slave rslave unbindable runbindable shared rshared';

  it('launch gives a bind and what lies below it each option as runc does', async () => {
    const change = writable(
      ...bindOptions.split(' ').map((option) => ({
        destination: `/data/${option}`,
        source: 'source',
        type: 'bind',
        options: ['rbind', option],
      })),
      {
        destination: '/data/several',
        source: 'source',
        options: ['rbind', 'ro', 'rnoexec', 'noatime'],
      },
      { destination: '/data/single', source: 'source', options: ['bind', 'ro'] },
    );
    const [ours, theirs] = await both(change);
    expect(below(ours, '/data/')).toEqual(below(theirs, '/data/'));
    // Both mounts of each but the last.
    expect(below(ours, '/data/')).toHaveLength(2 * (bindOptions.split(' ').length + 1) + 1);
  });

  it.each<[option: string, outer: string, inner: string]>([
    ['ratime', 'relatime,rw', 'relatime,rw'],
    ['rnorelatime', 'relatime,rw', 'relatime,rw'],
    ['rnostrictatime', 'relatime,rw', 'relatime,rw'],
    ['rnosymfollow', 'nosymfollow,relatime,rw', 'nosymfollow,relatime,rw'],
    ['rsymfollow', 'relatime,rw', 'relatime,rw'],
    ['silent', 'relatime,rw', 'relatime,rw'],
    ['loud', 'relatime,rw', 'relatime,rw'],
  ])('launch gives %s, which runc 1.1 cannot or ignores', async (option, ...expected) => {
    const mount = { destination: '/data/s', source: 'source', options: ['rbind', option] };
    const { stdout } = await runIn(bundle, mountinfo, writable(mount));
    expect(below(stdout, '/data/s').map(({ options }) => options)).toEqual(expected);
  });

  it('launch gives nosymfollow, which runc 1.1 takes for something else', async () => {
    const { stdout } = await runIn(
      bundle,
      `${mountinfo}; cat /data/s/link 2>&1`,
      writable({ destination: '/data/s', source: 'source', options: ['bind', 'nosymfollow'] }),
    );
    expect(mountAt(stdout, '/data/s')?.options).toContain('nosymfollow');
    expect(stdout).toContain("can't open '/data/s/link'");
  });

  it('launch mounts file systems with their options as runc does', async () => {
    // What one of them makes is there for the other.
    const prepare = (): void => {
      rmSync(join(bundle.rootfs, 'data'), { recursive: true });
      mkdirSync(join(bundle.rootfs, 'data/kept'), { recursive: true });
      chmodSync(join(bundle.rootfs, 'data/kept'), 0o711);
    };
    const tmpfs = (name: string, ...options: string[]): OciMount => ({
      destination: `/data/${name}`,
      type: 'tmpfs',
      source: name,
      options,
    });
    const change = writable(
      tmpfs('kept'),
      tmpfs('fresh'),
      tmpfs('mode', 'mode=0700', 'size=64k'),
      tmpfs('joined', 'size=64k,mode=710', 'uid=5', 'gid=6', 'nr_inodes=100'),
      tmpfs('flags', 'nosuid', 'nodev', 'noexec', 'noatime'),
      tmpfs('sync', 'sync', 'dirsync', 'lazytime'),
      tmpfs('async', 'sync', 'async'),
      tmpfs('readonly', 'ro', 'mode=755'),
      { destination: 'data/relative', type: 'tmpfs', source: 'relative' },
      { destination: '/data/x/../up/', type: 'tmpfs', source: 'up' },
      { destination: '/data/hidden', type: 'proc', source: 'proc', options: ['hidepid=2'] },
      { destination: '/data/subset', type: 'proc', source: 'proc', options: ['subset=pid'] },
    );
    const script = `${mountinfo}; stat -c '%n %a %u:%g' /data/*`;
    const [ours, theirs] = await both(change, script, prepare);
    // runc before 1.2 changes the mode afterwards, newer ones ask for it as we do.
    const seen = below(ours, '/data/');
    expect(mountAt(ours, '/data/kept')?.superOptions).toBe('mode=711,rw');
    for (const mount of seen) mount.superOptions = mount.superOptions.replace('mode=711,', '');
    expect(seen).toEqual(below(theirs, '/data/'));
    expect(seen).toHaveLength(12);
    const modes = (text: string): string[] =>
      text.split('\n').filter((line) => line.startsWith('/data'));
    expect(modes(ours)).toEqual(modes(theirs));
    expect(modes(ours)).toContain('/data/kept 711 0:0');
    expect(modes(ours)).toContain('/data/joined 710 5:6');
  });

  it('launch keeps the mode that a tmpfs asks for, whatever it covers', async () => {
    mkdirSync(join(bundle.rootfs, 'data/asked'), { mode: 0o711 });
    const mount = { destination: '/data/asked', type: 'tmpfs', options: ['mode=1700'] };
    const { stdout } = await runIn(bundle, 'stat -c %a /data/asked', writable(mount));
    expect(stdout).toBe('1700\n');
  });

  it('launch copies up what a tmpfs covers as runc does', async () => {
    const image = join(bundle.rootfs, 'data/image');
    mkdirSync(join(image, 'deep/er'), { recursive: true });
    writeFileSync(join(image, 'deep/er/big'), 'x'.repeat(1_000_000));
    writeFileSync(join(image, 'tool'), '#!/bin/sh\n');
    chownSync(join(image, 'tool'), 7, 8);
    chmodSync(join(image, 'tool'), 0o4755);
    writeFileSync(join(image, 'ümlaut'), 'name');
    chownSync(join(image, 'deep'), 3, 4);
    chmodSync(join(image, 'deep'), 0o2750);
    symlinkSync('/etc/passwd', join(image, 'absolute'));
    symlinkSync('../../../../..', join(image, 'deep/upwards'));
    chmodSync(image, 0o751);
    const script =
      'cd /data/image; find . | sort | while read -r f; do stat -c \'%N %F %a %u:%g %s %t:%T\' "$f"; done;' +
      'md5sum deep/er/big; touch new; stat -f -c %T .';
    const options = ['tmpcopyup', 'nosuid'];
    const [ours, theirs] = await both((spec) => {
      writable({ destination: '/data/image', type: 'tmpfs', options })(spec);
      for (const set of Object.values(spec.process.capabilities!)) set?.push('CAP_DAC_OVERRIDE');
    }, script);
    // runc leaves set-id bits away that chown(2) has taken; what the image says is kept here.
    const bits = (text: string): string => text.replaceAll(/ (4|2)(7[0-7]{2}) /g, ' $2 ');
    // The size of a directory is the file system's affair.
    const sizes = (text: string): string => text.replaceAll(/(directory .*) \d+ /g, '$1 ');
    expect(sizes(bits(ours))).toEqual(sizes(bits(theirs)));
    expect(ours).toContain('regular file 4755 7:8');
    expect(ours).toContain('directory 2750 3:4');
    expect(ours).toContain('tmpfs');
    expect(existsSync(join(image, 'new'))).toBe(false);
  });

  it('launch copies up FIFOs, sockets and devices, at which runc 1.1 fails', async () => {
    const image = join(bundle.rootfs, 'data/special');
    mkdirSync(image);
    execFileSync('mkfifo', ['-m', '640', join(image, 'fifo')]);
    execFileSync('mknod', ['-m', '600', join(image, 'node'), 'c', '1', '7']);
    chownSync(join(image, 'node'), 5, 6);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(image, 'socket'), resolve));
    const { stdout } = await runIn(
      bundle,
      "cd /data/special; stat -c '%n %F %a %u:%g %t:%T' *",
      writable({ destination: '/data/special', type: 'tmpfs', options: ['tmpcopyup'] }),
    ).finally(() => server.close());
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      'fifo fifo 640 0:0 0:0',
      'node character special file 600 5:6 1:7',
      'socket socket 755 0:0 0:0',
    ]);
  });

  it('launch copies up nothing that is mounted below', async () => {
    mkdirSync(join(bundle.rootfs, 'data/layered/inner'), { recursive: true });
    const { stdout } = await runIn(
      bundle,
      'ls -A /data/layered /data/layered/inner; stat -f -c %T /data/layered/inner',
      writable(
        { destination: '/data/layered/inner', type: 'proc', source: 'proc' },
        { destination: '/data/layered', type: 'tmpfs', options: ['tmpcopyup'] },
      ),
    );
    expect(stdout).toBe('/data/layered:\ninner\n\n/data/layered/inner:\ntmpfs\n');
  });

  it('launch binds files, links, sockets, FIFOs and devices onto places that are missing', async () => {
    const socket = join(bundle.path, 'source/socket');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const bind = (name: string, source: string): OciMount => ({
        destination: `/data/binds/${name}`,
        source,
        options: ['bind'],
      });
      const change = writable(
        bind('file', 'source/file'),
        bind('trailing/', 'source/file'),
        bind('link', 'source/link'),
        bind('socket', socket),
        bind('fifo', 'source/fifo'),
        bind('device', '/dev/full'),
        bind('directory', 'source'),
        bind('deep/er/directory', 'source'),
      );
      const script = "cd /data/binds; stat -c '%n %F' * deep/er/directory; cat file link trailing";
      const [ours, theirs] = await both(change, script);
      expect(ours).toEqual(theirs);
      expect(ours).toContain('socket socket');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('launch follows links of the image inside the root, as runc does', async () => {
    mkdirSync(join(bundle.rootfs, 'data/real'), { recursive: true });
    symlinkSync('/data/real', join(bundle.rootfs, 'data/to-real'));
    symlinkSync('../../../../data/real', join(bundle.rootfs, 'data/upwards'));
    symlinkSync('/data/not/yet', join(bundle.rootfs, 'data/dangling'));
    const tmpfs = (destination: string, source: string): OciMount => ({
      destination,
      source,
      type: 'tmpfs',
    });
    const [ours, theirs] = await both(
      writable(
        tmpfs('/data/to-real/a', 'a'),
        tmpfs('/data/upwards/b', 'b'),
        tmpfs('/data/dangling', 'c'),
        tmpfs('/data/to-real/c/d', 'd'),
      ),
    );
    const places = (text: string): string[] =>
      below(text, '/data/').map(({ mountpoint }) => mountpoint);
    expect(places(ours)).toEqual(places(theirs));
    expect(places(ours)).toEqual([
      '/data/not/yet',
      '/data/real/a',
      '/data/real/b',
      '/data/real/c/d',
    ]);
  });

  it('launch changes a mount that is there already', async () => {
    const { stdout } = await runIn(
      bundle,
      mountinfo,
      writable(
        { destination: '/data/again', source: 'source', options: ['rbind'] },
        { destination: '/data/again', options: ['remount', 'ro', 'rnoexec'] },
      ),
    );
    const [outer, inner] = below(stdout, '/data/again');
    expect([outer?.options, inner?.options]).toEqual(['noexec,relatime,ro', 'noexec,relatime,rw']);
    const error = await failureOf(writable({ destination: '/data', options: ['remount', 'ro'] }));
    expect(error).toMatchObject({ step: 'mounts', index: 7, errnoCode: 'EINVAL' });
    expect(error.hint).toContain('Nothing is mounted at /data');
  });

  it('launch seals read-only file systems after it has filled them', async () => {
    const { stdout } = await runIn(
      bundle,
      `touch /data/sealed/x 2>&1; touch /data/sealed/inner/y && echo written; ${mountinfo}`,
      writable(
        { destination: '/data/sealed', type: 'tmpfs', options: ['ro'] },
        { destination: '/data/sealed/inner', type: 'tmpfs' },
      ),
    );
    expect(stdout).toContain('Read-only file system');
    expect(stdout).toContain('written');
    expect(mountAt(stdout, '/data/sealed')?.options).toBe('relatime,ro');
  });

  describe('with an overlay', () => {
    const layers = (count: number, name = 'layer'): string[] =>
      Array.from({ length: count }, (_, index) => {
        const path = join(bundle.path, `${name}${index}`);
        mkdirSync(path, { recursive: true });
        writeFileSync(join(path, `${index}`), '');
        return path;
      });
    const overlay = (...options: string[]): OciMount => ({
      destination: '/data/overlay',
      type: 'overlay',
      source: 'overlay',
      options,
    });
    const script = 'ls -A /data/overlay | sort -n | tr "\\n" " "';

    it.skipIf(!hasOverlay)('launch mounts few and many layers as runc does', async () => {
      for (const count of [2, 40]) {
        const lowerdir = `lowerdir=${layers(count).join(':')}`;
        const [ours, theirs] = await both(writable(overlay(lowerdir)), script);
        expect(ours).toEqual(theirs);
        expect(ours.trim().split(' ')).toHaveLength(count);
      }
    });

    it.skipIf(!hasOverlay)('launch writes into the upper layer', async () => {
      const [lower] = layers(1);
      const upper = join(bundle.path, 'upper');
      const work = join(bundle.path, 'work');
      for (const path of [upper, work]) mkdirSync(path, { recursive: true });
      const options = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`];
      await runIn(bundle, 'touch /data/overlay/new', writable(overlay(...options)));
      expect(existsSync(join(upper, 'new'))).toBe(true);
      rmSync(work, { recursive: true });
    });

    it.skipIf(!hasOverlay)('launch takes layers of long names and of every character', async () => {
      const long = layers(2, `${'x'.repeat(200)}/${'y'.repeat(200)}`);
      const [odd] = layers(1, 'a,b:c\\d');
      const escaped = odd!.replaceAll(/[\\:,]/g, '\\$&');
      const lowerdir = `lowerdir=${[escaped, ...long].join(':')}`;
      const { stdout } = await runIn(bundle, script, writable(overlay(lowerdir)));
      expect(stdout.trim()).toBe('0 1');
      const short = `lowerdir=${escaped}:${layers(1)[0]}`;
      expect((await runIn(bundle, script, writable(overlay(short)))).stdout.trim()).toBe('0');
    });
  });

  describe('in /proc', () => {
    const uptime: OciMount = {
      destination: '/proc/uptime',
      source: 'source/file',
      options: ['bind'],
    };

    it('launch covers single files that may be covered, as runc does', async () => {
      const [ours, theirs] = await both(writable(uptime), 'cat /proc/uptime');
      expect([ours, theirs]).toEqual(['text\n', 'text\n']);
    });

    it.each<[what: string, mount: OciMount, runcRefuses: boolean]>([
      [
        'another file',
        { destination: '/proc/version', source: 'source/file', options: ['bind'] },
        true,
      ],
      // runc 1.1 looks at binds only.
      ['a directory', { destination: '/proc/self/attr', type: 'tmpfs' }, false],
      ['/proc itself by a tmpfs', { destination: '/proc', type: 'tmpfs' }, true],
    ])('launch refuses to cover %s, before anything is done', async (_, mount, runcRefuses) => {
      await expect(runIn(bundle, 'true', writable(mount))).rejects.toThrow(InvalidConfigError);
      const runc = await runUnderRunc(bundle, 'true', writable(mount));
      expect(runc.code !== 0).toBe(runcRefuses);
    });

    it('launch binds nothing but a procfs to /proc, as runc does', async () => {
      const onto = (source: string): Change =>
        writable({ destination: '/proc', source, options: ['rbind'] });
      expect((await failureOf(onto('source'))).message).toContain('only a procfs may be bound');
      expect((await runUnderRunc(bundle, 'true', onto('source'))).code).not.toBe(0);
      expect((await runIn(bundle, 'true', onto('/proc'))).status.code).toBe(0);
    });

    it('launch refuses a destination that links of the image lead into /proc', async () => {
      symlinkSync('/proc/self', join(bundle.rootfs, 'data/to-proc'));
      const error = await failureOf(writable({ destination: '/data/to-proc/attr', type: 'tmpfs' }));
      expect(error).toMatchObject({ step: 'mounts', index: 7 });
      expect(error.message).toMatch(/lead \/data\/to-proc\/attr to \/proc\/\d+\/attr/);
    });
  });

  it('launch masks and protects whatever kind of path it is given', async () => {
    symlinkSync('/data/secret', join(bundle.rootfs, 'data/to-secret'));
    writeFileSync(join(bundle.rootfs, 'data/secret'), 'secret');
    const change: Change = (spec) => {
      writable({ destination: '/data/ro', source: 'source', options: ['rbind', 'rro'] })(spec);
      spec.linux!.maskedPaths = [
        '/data/to-secret',
        '/data/missing/path',
        '/data/secret/below-a-file',
        '/home',
        '/data/ro/inner',
        '/proc/acpi',
        '/proc/scsi',
        '/etc/passwd',
      ];
      spec.linux!.readonlyPaths = ['/data/ro', '/data/ro/file', '/data/missing', '/tmp'];
    };
    const script = `cat /data/secret /etc/passwd; ls -A /home /data/ro/inner; touch /tmp/x 2>&1; ${mountinfo}`;
    const { stdout } = await runIn(bundle, script, change);
    const [said = ''] = stdout.split(/^\d+ \d+ \d+:\d+ /m);
    expect(said).toBe('/data/ro/inner:\n\n/home:\ntouch: /tmp/x: Read-only file system\n');
    for (const path of ['/home', '/data/ro/inner']) {
      expect(mountAt(stdout, path)).toMatchObject({ fstype: 'tmpfs', superOptions: 'ro' });
    }
    expect(mountAt(stdout, '/data/secret')?.root).toBe('/null');
  });

  describe.each<[name: string, cgroupNamespace: boolean]>([
    ['a cgroup namespace', true],
    ['no cgroup namespace', false],
  ])('with %s', (_, cgroupNamespace) => {
    it.each([['ro'], ['rw']])('launch shows the cgroup %s', async (access) => {
      const change: Change = (spec) => {
        const mount = spec.mounts!.find(({ type }) => type === 'cgroup')!;
        mount.options = ['nosuid', 'noexec', 'nodev', 'relatime', access];
        if (!cgroupNamespace) {
          spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup');
        }
      };
      const cgroups = '/sys/fs/cgroup/';
      const [ours, theirs] = await both(change);
      const seen = (text: string): unknown[] =>
        below(text, cgroups).map(({ source: _source, root, ...mount }) => ({
          ...mount,
          root: root.replace(/init-e2e-\d+-\d+$/, '<id>'),
        }));
      expect(seen(ours)).toEqual(seen(theirs));
      for (const { root, options } of below(ours, cgroups)) {
        expect(root === '/').toBe(cgroupNamespace);
        expect(options.split(',')).toContain(access);
      }
    });

    const unified = readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup2 ');
    it.skipIf(!unified)('launch shows the unified hierarchy where it is asked for', async () => {
      const { stdout } = await runIn(bundle, mountinfo, (spec) => {
        writable({ destination: '/data/unified', type: 'cgroup2', options: ['ro'] })(spec);
        if (!cgroupNamespace) {
          spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup');
        }
      });
      const mount = mountAt(stdout, '/data/unified');
      expect(mount).toMatchObject({ fstype: 'cgroup2', options: 'relatime,ro' });
      expect(mount?.root === '/').toBe(cgroupNamespace);
    });
  });

  it('launch never shows the whole hierarchy to a container without a cgroup of its own', async () => {
    const { stdout } = await runIn(bundle, mountinfo, (spec) => {
      spec.linux = { namespaces: [{ type: 'pid' }, { type: 'mount' }] };
      delete spec.hostname;
      spec.mounts = spec.mounts!.filter(({ type }) => type !== 'mqueue' && type !== 'sysfs');
      spec.root.readonly = false;
    });
    const [, ownPath = ''] =
      /^\d+:pids:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
    expect(mountAt(stdout, '/sys/fs/cgroup/pids')?.root ?? ownPath).toBe(ownPath);
  });

  describe('with devices', () => {
    const list = "for f in /dev/* /data/nodes/*; do stat -c '%n %F %a %u:%g %t:%T' $f; done";

    it('launch makes the nodes of the configuration as runc does', async () => {
      const change: Change = (spec) => {
        spec.root.readonly = false;
        spec.linux!.devices = [
          { path: '/dev/fuse', type: 'c', major: 10, minor: 229 },
          { path: '/dev/loop9', type: 'b', major: 7, minor: 9, fileMode: 0o60_660, uid: 0, gid: 6 },
          { path: '/dev/unbuffered', type: 'u', major: 1, minor: 5, fileMode: 0o600, uid: 5 },
          { path: '/dev/fifo', type: 'p', fileMode: 0o620, gid: 5 },
          { path: '/data/nodes/zero', type: 'c', major: 1, minor: 5 },
          { path: '/dev/big', type: 'c', major: 259, minor: 70_000 },
          { path: '/dev/ptmx', type: 'c', major: 5, minor: 2 },
        ];
      };
      const [ours, theirs] = await both(change, list);
      expect(ours).toEqual(theirs);
      expect(ours).toContain('/dev/loop9 block special file 660 0:6 7:9');
      expect(ours).toContain('/dev/big character special file 666 0:0 103:11170');
    });

    it('launch gives a default device the mode and owner that the configuration says', async () => {
      const { stdout } = await runIn(bundle, "stat -c '%a %u:%g' /dev/null", (spec) => {
        spec.linux!.devices = [
          { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o640, uid: 5, gid: 6 },
        ];
      });
      expect(stdout).toBe('640 5:6\n');
    });

    it('launch accepts the very node that the image has, and no other file', async () => {
      const nodes = join(bundle.rootfs, 'data/own');
      mkdirSync(nodes);
      execFileSync('mknod', [join(nodes, 'zero'), 'c', '1', '5']);
      writeFileSync(join(nodes, 'file'), '');
      const device = (path: string): Change => {
        return (spec) => {
          spec.root.readonly = false;
          spec.linux!.devices = [{ path, type: 'c', major: 1, minor: 5 }];
        };
      };
      const { stdout } = await runIn(
        bundle,
        'head -c1 /data/own/zero | wc -c',
        device('/data/own/zero'),
      );
      expect(stdout).toBe('1\n');
      const error = await failureOf(device('/data/own/file'));
      expect(error).toMatchObject({ step: 'devices', index: 0, errnoCode: 'EEXIST' });
      expect(error.message).toContain('/data/own/file (linux.devices[0])');
    });

    it('launch makes nothing in a /dev that is bound from outside', async () => {
      const outside = join(bundle.path, 'dev');
      mkdirSync(outside, { recursive: true });
      for (const [name, minor] of Object.entries({ null: '3', zero: '5' })) {
        execFileSync('mknod', [join(outside, name), 'c', '1', minor]);
      }
      const { stdout } = await runIn(bundle, 'ls -A /dev', (spec) => {
        spec.root.readonly = false;
        const kept = spec.mounts!.filter(({ destination }) => !destination.startsWith('/dev'));
        spec.mounts = [...kept, { destination: '/dev', source: outside, options: ['rbind'] }];
      });
      expect(stdout).toBe('null\nzero\n');
    });

    it('launch binds the nodes of the host where it may make none', async () => {
      const spec = shellSpec(`echo x > /dev/null; head -c3 /dev/zero | wc -c; ${mountinfo}`);
      const wrapper = ['setpriv', '--bounding-set', '-mknod', '--inh-caps', '-mknod'];
      const { stdout } = await launchThere(bundle, spec, wrapper);
      expect(stdout.split('\n')[0]).toBe('3');
      for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty']) {
        expect(mountAt(stdout, `/dev/${name}`)).toMatchObject({ root: `/${name}` });
      }
    });
  });

  describe('in a user namespace', () => {
    const locked = (): string => join(bundle.path, 'locked');
    beforeAll(() => {
      mkdirSync(locked());
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'nosuid,nodev,ro', 'locked', locked()]);
    });
    afterAll(() => {
      execFileSync('umount', [locked()]);
    });

    it('launch keeps what a more privileged namespace has locked, and binds its devices', async () => {
      const binds: OciMount[] = [
        { destination: '/data/plain', source: 'locked', options: ['rbind'] },
        { destination: '/data/clear', source: 'locked', options: ['rbind', 'suid', 'dev', 'rw'] },
        { destination: '/data/set', source: 'locked', options: ['rbind', 'rw', 'rnoexec'] },
        { destination: '/data/both', source: 'locked', options: ['rbind', 'suid', 'noexec'] },
        { destination: '/data/time', source: 'locked', options: ['rbind', 'noatime', 'noexec'] },
        { destination: '/data/dir', source: 'locked', options: ['rbind', 'nodiratime', 'noexec'] },
      ];
      const spec = shellSpec(`echo x > /dev/null; ${mountinfo}`, (changed) => {
        writable(...binds)(changed);
        changed.mounts = changed.mounts!.filter(({ type }) => type !== 'cgroup');
        changed.linux!.namespaces = changed.linux!.namespaces!.filter(
          ({ type }) => type !== 'cgroup',
        );
        changed.linux!.resources = {};
        changed.linux!.readonlyPaths = ['/data/plain', '/proc/sys'];
      });
      const { stdout } = await launchThere(bundle, spec, ['unshare', '--user', '--mount'], true);
      const options = (path: string): string | undefined => mountAt(stdout, path)?.options;
      expect(options('/data/plain')).toBe('nodev,nosuid,relatime,ro');
      expect(options('/data/clear')).toBe('nodev,nosuid,relatime,ro');
      expect(options('/data/set')).toBe('nodev,noexec,nosuid,relatime,ro');
      expect(options('/data/both')).toBe('nodev,noexec,nosuid,relatime,ro');
      expect(options('/data/time')).toBe('nodev,noexec,nosuid,relatime,ro');
      expect(options('/data/dir')).toBe('nodev,noexec,nosuid,relatime,ro');
      expect(mountAt(stdout, '/dev/null')).toMatchObject({ root: '/null' });
    });
  });

  describe('with id mappings', () => {
    const files = (): string => join(bundle.path, 'files');
    const uidMappings = [{ containerID: 0, hostID: 1000, size: 1000 }];
    const gidMappings = [{ containerID: 0, hostID: 2000, size: 1000 }];
    const owner = 'stat -c %u:%g /data/files/file /data/files/below/file';
    beforeAll(() => {
      mkdirSync(join(files(), 'below'), { recursive: true });
      writeFileSync(join(files(), 'file'), '');
      execFileSync('mount', ['-t', 'tmpfs', 'below', join(files(), 'below')]);
      writeFileSync(join(files(), 'below/file'), '');
      bundle.keepWhatIsThere();
    });
    afterAll(() => {
      execFileSync('umount', [join(files(), 'below')]);
    });

    it.each<[option: string, below: string]>([
      ['idmap', '0:0'],
      ['ridmap', '1000:2000'],
    ])('launch shows other owners by uidMappings and gidMappings with %s', async (option, seen) => {
      const mount: OciMount = {
        destination: '/data/files',
        source: 'files',
        options: ['rbind', option],
        uidMappings,
        gidMappings,
      };
      const { stdout } = await runIn(bundle, owner, writable(mount));
      expect(stdout).toBe(`1000:2000\n${seen}\n`);
    });

    it.each<[option: string, below: string]>([
      ['idmap', '65534:65534'],
      ['ridmap', '0:0'],
    ])(
      'launch gives a container with a user namespace what is its own with %s',
      async (option, seen) => {
        const change: Change = (spec) => {
          const mount = { destination: '/data/files', source: 'files', options: ['rbind', option] };
          writable(mount)(spec);
          spec.linux!.namespaces!.push({ type: 'user' });
          spec.linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
          spec.linux!.gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
        };
        chmodSync(bundle.path, 0o755);
        const { stdout } = await runIn(bundle, owner, change);
        expect(stdout).toBe(`0:0\n${seen}\n`);
      },
    );

    it('launch says which mount cannot map ids', async () => {
      const mount: OciMount = {
        destination: '/data/files',
        source: '/proc/sys',
        options: ['bind'],
        uidMappings,
        gidMappings,
      };
      expect(await failureOf(writable(mount))).toMatchObject({
        step: 'mounts',
        syscall: 'mount_setattr',
        path: '/proc/sys',
        hint: expect.stringContaining('must know id-mapped mounts'),
      });
    });
  });

  describe('rootfsPropagation', () => {
    /** In a mount namespace in which everything is shared, as it is on most hosts. */
    const shared = ['unshare', '--mount', '--propagation', 'shared'];
    const change = (rootfsPropagation: OciRootfsPropagation): Change => {
      return (spec) => {
        writable({ destination: '/data/bound', source: 'source', options: ['rbind'] })(spec);
        spec.linux!.rootfsPropagation = rootfsPropagation;
      };
    };

    it.each<[propagation: OciRootfsPropagation, root: string, bound: string]>([
      ['', 'master', 'master'],
      ['slave', 'master', 'master'],
      ['rslave', 'master', 'master'],
      ['private', '', ''],
      ['rprivate', '', ''],
      ['unbindable', 'unbindable', ''],
      ['runbindable', 'unbindable', 'unbindable'],
      ['shared', 'shared', ''],
      ['rshared', 'shared', 'shared'],
    ])('launch with %j gives the root %j', async (propagation, root, bound) => {
      const spec = shellSpec(mountinfo, change(propagation));
      const { stdout, lost } = await launchThere(bundle, spec, shared);
      expect(mountAt(stdout, '/')?.propagation).toBe(root);
      expect(mountAt(stdout, '/data/bound')?.propagation).toBe(bound);
      // The host has the mounts that it had.
      expect(lost).toEqual([]);
    });

    it.each<[OciRootfsPropagation]>([['slave'], ['rslave'], ['private'], ['rprivate']])(
      'launch with "%s" gives root and bind what runc gives them',
      async (propagation) => {
        const spec = shellSpec(mountinfo, change(propagation));
        const own = await launchThere(bundle, spec, shared);
        const runc = await runUnderRunc(bundle, mountinfo, change(propagation), [], shared);
        for (const path of ['/', '/data/bound']) {
          expect(mountAt(own.stdout, path)).toEqual(mountAt(runc.stdout, path));
        }
      },
    );

    it('launch refuses what is not safe without pivot_root', async () => {
      const launching = runIn(bundle, 'true', change('rprivate'), { noPivot: true });
      await expect(launching).rejects.toThrow(/linux\.rootfsPropagation: rprivate is not safe/);
    });
  });

  it('launch moves the root without pivot_root as runc does', async () => {
    const script = `ls -A /; ${mountinfo}`;
    const own = await runIn(bundle, script, undefined, { noPivot: true });
    const runc = await runUnderRunc(bundle, script, undefined, ['--no-pivot']);
    expect([own.stderr, runc.stderr]).toEqual(['', '']);
    const places = (text: string): unknown[] =>
      parseMountinfo(text)
        .filter(({ mountpoint }) => mountpoint !== '/sys/fs/cgroup')
        .map(({ mountpoint, fstype, options }) => [mountpoint, fstype, options]);
    expect(places(own.stdout)).toEqual(places(runc.stdout));
    expect(own.stdout.split('\n').slice(0, 4)).toEqual(['bin', 'data', 'dev', 'etc']);

    // Through a link: what lies inside the root is not known by its path.
    const link = join(bundle.path, 'link-to-bundle');
    symlinkSync(bundle.path, link);
    const linked = { ...bundle, path: link };
    const { stdout } = await runIn(linked, 'ls /proc/1/root', undefined, { noPivot: true });
    expect(stdout.split('\n').slice(0, 4)).toEqual(['bin', 'data', 'dev', 'etc']);
  });
});

/**
 * Launches from a fresh Node that is started by `wrapper`, and returns what it says.
 *
 * @param mapIds the wrapper makes a user namespace, in which ids are to be what they are outside
 */
async function launchThere(
  bundle: BusyboxBundle,
  spec: unknown,
  [command = '', ...wrapped]: readonly string[],
  mapIds = false,
): Promise<{ stdout: string; lost: string[] }> {
  const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
  const program = join(bundle.path, 'launch.mjs');
  const config = JSON.stringify({ id: newId(), spec, bundle: bundle.path });
  writeFileSync(
    program,
    `import { readFileSync } from 'node:fs';
     import { launch } from ${JSON.stringify(library)};
     // Others may mount and unmount meanwhile, below /tmp.
     const mounts = () =>
       readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\\n')
         .filter((line) => !line.includes(' /tmp/') || line.includes(${JSON.stringify(bundle.path)}));
     const before = mounts();
     const launched = await launch(${config}, { stdio: ['ignore', 'pipe', 'inherit'] });
     let stdout = '';
     for await (const part of launched.stdout) stdout += part;
     await launched.exited;
     const after = mounts();
     const lost = [...before, ...after].filter((line) => !before.includes(line) || !after.includes(line));
     console.log(JSON.stringify({ stdout, lost }));`,
  );
  const script = 'echo started; read go; exec "$0" "$1"';
  const child = spawn(command, [...wrapped, 'sh', '-c', script, process.execPath, program], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [output, complaints] = ['', ''];
  child.stderr.on('data', (part: Buffer) => (complaints += part.toString()));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString();
      if (output.startsWith('started')) resolve();
    });
    child.on('close', () => resolve());
  });
  if (mapIds) {
    for (const map of ['uid_map', 'gid_map'])
      writeFileSync(`/proc/${child.pid}/${map}`, '0 0 65536');
  }
  child.stdin.end('go\n');
  await new Promise((resolve) => void child.on('close', resolve));
  expect([complaints, child.exitCode]).toEqual(['', 0]);
  return JSON.parse(output.slice('started\n'.length)) as { stdout: string; lost: string[] };
}
