// Images and neighbours that try to have something mounted, made or removed outside of the root.
// Each test is named after the vulnerability of a runtime that it would have found.
import { strictEqual } from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { launch, type LaunchError, type OciMount } from '@pilotlight/init';
import { receiveFile, SeqpacketSocket, socketpair } from '@pilotlight/scm-rights';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, launchFailure, missing, newId, runIn, shellSpec } from './init-bundle.ts';
import { parseMountinfo } from './mountinfo.ts';

const lacking = missing('root', 'busybox-static');

describe.skipIf(lacking !== '')(`launch of a hostile image${lacking}`, () => {
  const bundle = useCleanBundle();
  /** What lies outside of the root and must stay as it is. */
  let canary: string;
  let untouched: string;

  beforeEach(() => {
    canary = join(bundle.path, 'canary');
    rmSync(canary, { recursive: true, force: true });
    mkdirSync(join(canary, 'proc/self/attr'), { recursive: true });
    mkdirSync(join(canary, 'directory'));
    for (const name of ['null', 'ptmx', 'console', 'fd', 'secret', 'directory/file']) {
      writeFileSync(join(canary, name), `canary ${name}`);
    }
    execFileSync('mknod', [join(canary, 'zero'), 'c', '1', '5']);
    untouched = fingerprint(canary);
  });
  afterEach(() => {
    strictEqual(fingerprint(canary), untouched);
    // An image of its own for each attack.
    for (const name of ['dev', 'proc', 'sys', 'data', 'dev-target']) {
      rmSync(join(bundle.rootfs, name), { recursive: true, force: true });
      if (name !== 'dev-target') mkdirSync(join(bundle.rootfs, name));
    }
  });

  /** Puts a link to a path on the host in the image's place of the same name. */
  const plant = (name: string, target: string): void => {
    rmSync(join(bundle.rootfs, name), { recursive: true, force: true });
    symlinkSync(target, join(bundle.rootfs, name));
  };
  /** Leads to the canary for whoever resolves it outside of the root, by either kind of link. */
  const ways = (): [kind: string, target: string][] => [
    ['absolute', canary],
    ['relative', `${'../'.repeat(12)}${canary.slice(1)}`],
  ];
  const markersIn = (mountinfo: string): string[] =>
    parseMountinfo(mountinfo)
      .filter(({ source }) => source === 'marker')
      .map(({ mountpoint }) => mountpoint);
  const writable: Change = (spec) => void (spec.root.readonly = false);
  /** The image's own /dev: nothing is mounted there. */
  const plainDev: Change = (spec) => {
    spec.root.readonly = false;
    spec.mounts = spec.mounts!.filter(({ destination }) => !destination.startsWith('/dev'));
  };

  const failureOf = (change: Change): Promise<LaunchError> =>
    launchFailure(runIn(bundle, 'true', change));

  describe('CVE-2021-30465: a component of a destination is swapped for a link', () => {
    const launches = 40;
    let swapper: ChildProcess | undefined;
    afterEach(() => void swapper?.kill('SIGKILL'));

    /** Exchanges `directory` and a link to `target` as fast as it can; resolves once it does. */
    async function startSwapping(directory: string, target: string): Promise<void> {
      const library = fileURLToPath(import.meta.resolve('@pilotlight/scm-rights/libc'));
      // RENAME_EXCHANGE of renameat2(2): at every moment one of both is there.
      const program = `
        import { mkdirSync, symlinkSync } from 'node:fs';
        import { loadLibc } from ${JSON.stringify(library)};
        const [directory, target] = process.argv.slice(1);
        const link = directory + '.link';
        mkdirSync(directory, { recursive: true });
        symlinkSync(target, link);
        const renameat2 = loadLibc().func('renameat2', 'int', ['int', 'str', 'int', 'str', 'uint']);
        for (let count = 0; ; count++) {
          if (renameat2(-100, directory, -100, link, 2) !== 0) throw new Error('not exchanged');
          if (count === 100) process.stdout.write('swapping');
        }`;
      swapper = spawn(process.execPath, ['--input-type=module', '-e', program, directory, target], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => void swapper!.stdout!.once('data', resolve));
    }

    it('launch mounts inside the root or fails, and makes nothing outside', async () => {
      const volume = join(bundle.path, 'volume');
      mkdirSync(volume, { recursive: true });
      await startSwapping(join(volume, 'swapped'), join('../'.repeat(12), canary));
      const change: Change = (spec) => {
        spec.root.readonly = false;
        spec.mounts!.push(
          { destination: '/data', source: volume, options: ['rbind'] },
          { destination: '/data/swapped/made/deep', type: 'tmpfs', source: 'marker' },
          { destination: '/data/swapped/directory', type: 'tmpfs', source: 'marker' },
          { destination: '/data/swapped/secret', source: '/dev/null', options: ['bind'] },
        );
        spec.linux!.devices = [{ path: '/data/swapped/node', type: 'c', major: 1, minor: 5 }];
      };
      const seen: { markers: string[]; outside: string; failure?: string }[] = [];
      for (let count = 0; count < launches; count++) {
        const outcome = await runIn(bundle, 'cat /proc/self/mountinfo', change).catch(
          (error: unknown) => error as LaunchError,
        );
        const outside = fingerprint(canary);
        if (outcome instanceof Error) seen.push({ markers: [], outside, failure: outcome.code });
        else seen.push({ markers: markersIn(outcome.stdout), outside });
      }
      expect(new Set(seen.map(({ outside }) => outside))).toEqual(new Set([untouched]));
      const failures = seen.flatMap(({ failure }) => failure ?? []);
      expect(failures).toEqual(failures.map(() => 'ERR_INIT_LAUNCH'));
      // Outside of the root a mount would not be among those that are seen inside.
      const launched = seen.filter(({ failure }) => failure === undefined);
      expect(launched.map(({ markers }) => markers.length)).toEqual(launched.map(() => 2));
      // Or else nothing was tried.
      const places = launched.flatMap(({ markers }) => markers);
      expect(places.some((place) => place.startsWith('/data/swapped/'))).toBe(true);
      expect(places.some((place) => place.startsWith(canary))).toBe(true);
    });
  });

  describe('CVE-2025-31133: /dev/null of the image is not the null device', () => {
    it.each([
      ['a link to a file outside', (): void => plant('dev/null', join(canary, 'secret'))],
      ['a link to a file inside', (): void => plant('dev/null', '/etc/passwd')],
      ['a link to nothing', (): void => plant('dev/null', '/nothing')],
      ['a regular file', (): void => writeFileSync(join(bundle.rootfs, 'dev/null'), '')],
      [
        'another device',
        (): void => void execFileSync('mknod', [join(bundle.rootfs, 'dev/null'), 'c', '1', '5']),
      ],
    ])('launch refuses %s', async (_, prepare) => {
      prepare();
      const error = await failureOf(plainDev);
      expect(error).toMatchObject({ step: 'devices', errnoCode: 'EEXIST' });
    });

    it('launch masks nothing with what only has the name of the null device', async () => {
      // /dev from outside: nothing is made there, and nothing was looked at yet.
      const outside = join(bundle.path, 'hostile-dev');
      mkdirSync(outside, { recursive: true });
      for (const make of [
        (path: string): void => symlinkSync('/proc/sys/kernel/core_pattern', path),
        (path: string): void => writeFileSync(path, ''),
      ]) {
        rmSync(join(outside, 'null'), { force: true });
        make(join(outside, 'null'));
        const error = await failureOf((spec) => {
          plainDev(spec);
          spec.mounts!.push({ destination: '/dev', source: outside, options: ['rbind'] });
          spec.linux!.maskedPaths = ['/etc/passwd'];
        });
        expect(['streams', 'masked paths']).toContain(error.step);
        expect(error.message).toContain('not the null device');
      }
    });
  });

  describe('CVE-2025-52565: /dev/console and /dev/pts of the image lead elsewhere', () => {
    /** Launches with a terminal; what the program says on it. */
    async function runOnTerminal(script: string, change: Change): Promise<string> {
      const [ours, theirs] = socketpair('seqpacket');
      const socket = new SeqpacketSocket(ours);
      try {
        const spec = shellSpec(script, change);
        spec.process.terminal = true;
        const launched = await launch(
          { id: newId(), spec, bundle: bundle.path },
          { consoleSocket: theirs },
        );
        const { fd } = await receiveFile(socket);
        const terminal = new ReadStream(fd.release());
        let text = '';
        terminal.on('data', (part: Buffer) => (text += part.toString()));
        // EIO: nobody holds the other side any more.
        const hungUp = new Promise((resolve) => void terminal.on('error', resolve));
        await Promise.all([launched.exited, hungUp]);
        terminal.destroy();
        return text;
      } finally {
        theirs.close();
        socket.close();
      }
    }

    it('launch puts the console over no link', async () => {
      for (const [, target] of ways()) {
        plant('dev/console', join(target, 'console'));
        const failing = runOnTerminal('true', (spec) => {
          spec.root.readonly = false;
          const kept = spec.mounts!.filter(({ destination }) => destination !== '/dev');
          spec.mounts = kept;
        });
        await expect(failing).rejects.toMatchObject({ step: 'streams', errnoCode: 'ELOOP' });
      }
    });

    it('launch takes its terminal from the devpts of the container, whatever the image has', async () => {
      writeFileSync(join(bundle.rootfs, 'dev/ptmx'), 'a file');
      plant('dev/pts', join(canary, 'directory'));
      rmSync(join(bundle.rootfs, 'dev/pts'));
      mkdirSync(join(bundle.rootfs, 'dev/pts'));
      symlinkSync(join(canary, 'secret'), join(bundle.rootfs, 'dev/pts/0'));
      symlinkSync(join(canary, 'ptmx'), join(bundle.rootfs, 'dev/pts/ptmx'));
      const script = 'test -t 0 && readlink /dev/ptmx; stat -c %t:%T /dev/console';
      const said = await runOnTerminal(script, (spec) => {
        spec.root.readonly = false;
        spec.mounts = spec.mounts!.filter(({ destination }) => destination !== '/dev');
      });
      expect(said).toBe('pts/ptmx\r\n88:0\r\n');
    });

    it('launch takes no file for a terminal', async () => {
      writeFileSync(join(bundle.rootfs, 'data/ptmx'), '');
      mkdirSync(join(bundle.rootfs, 'dev/pts'));
      symlinkSync('/data/ptmx', join(bundle.rootfs, 'dev/pts/ptmx'));
      await expect(runOnTerminal('true', plainDev)).rejects.toMatchObject({
        step: 'streams',
        message: expect.stringContaining('not a pseudo-terminal') as string,
      });
    });
  });

  describe('CVE-2019-19921 and CVE-2023-27561: /proc or /sys of the image is a link', () => {
    it.each(['proc', 'sys'])('launch mounts nothing through a /%s that is a link', async (name) => {
      for (const target of [canary, '/data', '.', '/nothing', `/tmp/../data`]) {
        plant(name, target);
        const error = await failureOf(writable);
        expect(error).toMatchObject({ step: 'mounts', errnoCode: 'ELOOP' });
        expect(error.hint).toContain('ordinary directory');
        expect(readdirSync(join(bundle.rootfs, 'data'))).toEqual([]);
      }
    });

    it('launch mounts nothing on a /proc that is a file', async () => {
      rmSync(join(bundle.rootfs, 'proc'), { recursive: true });
      writeFileSync(join(bundle.rootfs, 'proc'), '');
      const error = await failureOf(writable);
      expect(error).toMatchObject({ step: 'mounts', index: 0 });
      expect(error.hint).toContain('must both be directories');
      rmSync(join(bundle.rootfs, 'proc'));
    });

    it('launch covers no part of /proc through a volume that leads there', async () => {
      const volume = join(bundle.path, 'to-proc');
      mkdirSync(volume, { recursive: true });
      rmSync(join(volume, 'attr'), { force: true });
      symlinkSync('/proc/self/attr', join(volume, 'attr'));
      const error = await failureOf((spec) => {
        writable(spec);
        spec.mounts!.push(
          { destination: '/data', source: volume, options: ['rbind'] },
          { destination: '/data/attr', type: 'tmpfs' },
        );
      });
      expect(error.message).toMatch(/lead \/data\/attr to \/proc\/\d+\/attr/);
    });
  });

  describe('CVE-2026-41579: /dev of the image is a link', () => {
    it.each([
      ['an empty /dev', false],
      ['a tmpfs on /dev', true],
    ])('launch makes and removes nothing outside, with %s', async (_, mounted) => {
      for (const [kind, target] of ways()) {
        plant('dev', target);
        // Made inside, under the same path, as the link says.
        const { stdout, stderr } = await runIn(
          bundle,
          'readlink /dev; ls -A /dev/; readlink /dev/ptmx',
          mounted ? writable : plainDev,
        );
        expect([kind, stderr]).toEqual([kind, '']);
        expect(stdout).toContain('urandom\n');
        expect(stdout.endsWith('pts/ptmx\n')).toBe(true);
        expect(stdout.startsWith(`${target}\n`)).toBe(true);
        expect(existsSync(join(bundle.rootfs, canary))).toBe(true);
        rmSync(join(bundle.rootfs, canary), { recursive: true });
      }
    });

    it('launch refuses a device whose name in the image is a link', async () => {
      for (const [, target] of ways()) {
        plant('dev/zero', join(target, 'zero'));
        const error = await failureOf(plainDev);
        expect(error).toMatchObject({ step: 'devices', errnoCode: 'EEXIST', path: 'zero' });
        rmSync(join(bundle.rootfs, 'dev'), { recursive: true });
        mkdirSync(join(bundle.rootfs, 'dev'));
      }
    });

    it('launch leaves the links that the image has, and follows none of them', async () => {
      plant('dev/fd', join(canary, 'fd'));
      plant('dev/ptmx', join(canary, 'ptmx'));
      const { stdout } = await runIn(bundle, 'readlink /dev/fd; readlink /dev/ptmx', plainDev);
      // The one of the console is ours.
      expect(stdout).toBe(`${join(canary, 'fd')}\npts/ptmx\n`);
    });

    it('launch makes a device in a directory that is a link inside the root', async () => {
      for (const [, target] of ways()) {
        plant('data', target);
        const { stdout } = await runIn(bundle, 'stat -c %t:%T /data/sub/node', (spec) => {
          writable(spec);
          spec.linux!.devices = [{ path: '/data/sub/node', type: 'c', major: 1, minor: 7 }];
        });
        expect(stdout).toBe('1:7\n');
        rmSync(join(bundle.rootfs, canary), { recursive: true });
      }
    });
  });

  it('launch makes the links of a cgroup mount inside the root', async () => {
    const joint = readFileSync('/proc/self/mountinfo', 'utf8').includes('cgroup rw,cpu,cpuacct');
    for (const [, target] of ways()) {
      plant('data', target);
      const mount: OciMount = { destination: '/data/cgroup', type: 'cgroup', options: ['ro'] };
      const { status } = await runIn(bundle, `ls /data/cgroup${joint ? '/cpu' : ''}`, (spec) => {
        writable(spec);
        spec.mounts!.push(mount);
      });
      expect(status.code).toBe(0);
      rmSync(join(bundle.rootfs, canary), { recursive: true });
    }
  });

  it('launch copies up links as links, and nothing that they lead to', async () => {
    mkdirSync(join(bundle.rootfs, 'data/image'));
    for (const [kind, target] of ways())
      symlinkSync(target, join(bundle.rootfs, 'data/image', kind));
    const { stdout } = await runIn(
      bundle,
      'ls -A /data/image; cat /data/image/*/secret',
      (spec) => {
        writable(spec);
        spec.mounts!.push({ destination: '/data/image', type: 'tmpfs', options: ['tmpcopyup'] });
      },
    );
    expect(stdout).toBe('absolute\nrelative\n');
  });

  it('launch makes the working directory inside the root', async () => {
    for (const [, target] of ways()) {
      plant('data', target);
      const { stdout } = await runIn(bundle, 'pwd -P', (spec) => {
        writable(spec);
        spec.process.cwd = '/data/work/directory';
      });
      expect(stdout).toBe(`${canary}/work/directory\n`);
      rmSync(join(bundle.rootfs, canary), { recursive: true });
    }
  });
});

/** Names, types, owners, modes and contents of a tree. */
function fingerprint(directory: string): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const { mode, uid, gid, rdev, ino, dev } = lstatSync(path);
    hash.update(JSON.stringify([path, mode, uid, gid, rdev, ino, dev]));
    if ((mode & 0o17_0000) === 0o12_0000) hash.update(readlinkSync(path));
    else if ((mode & 0o17_0000) === 0o10_0000) hash.update(readFileSync(path));
    else if ((mode & 0o17_0000) === 0o4_0000) {
      for (const name of readdirSync(path).toSorted()) add(join(path, name));
    }
  };
  add(directory);
  return hash.digest('hex');
}
