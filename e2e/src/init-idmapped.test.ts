// Bind mounts whose owners are mapped, and sources that a user namespace keeps the child from.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, type LaunchError, type OciMount } from '@pilotlight/init';
import { afterEach, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, launchFailure, missing, newId, runIn, shellSpec } from './init-bundle.ts';
import { mountAt } from './mountinfo.ts';

const lacking = missing('root', 'busybox-static');
const [major = 0, minor = 0] = execFileSync('uname', ['-r'], { encoding: 'utf8' })
  .split('.')
  .map((part) => Number.parseInt(part, 10));
const isAtLeast = (wanted: number): boolean => major * 100 + minor >= wanted;
/** tmpfs knows id-mapped mounts since Linux 6.3. */
const tmpfsLacks = isAtLeast(603) ? '' : ' (needs Linux 6.3)';

const line = (containerID: number, hostID: number, size = 1000) => ({ containerID, hostID, size });

const withUser =
  (change: Change = () => {}): Change =>
  (spec) => {
    spec.linux!.namespaces!.push({ type: 'user' });
    spec.linux!.uidMappings = [line(0, 100_000, 65_536)];
    spec.linux!.gidMappings = [line(0, 200_000, 65_536)];
    change(spec);
  };

describe.skipIf(lacking !== '')(`launch and mapped mounts${lacking}`, () => {
  const bundle = useCleanBundle();
  const mounted: string[] = [];
  afterEach(() => {
    for (const place of mounted.splice(0).toReversed()) execFileSync('umount', [place]);
    bundle.keepWhatIsThere();
  });

  /** A directory with a file of this owner in it; on a tmpfs if so wanted. */
  function makeSource(uid: number, gid: number, on: 'bundle' | 'tmpfs' = 'bundle'): string {
    const source = join(bundle.path, newId());
    mkdirSync(source);
    if (on === 'tmpfs') mountTmpfs(source);
    writeFileSync(join(source, 'file'), 'text');
    for (const path of [source, join(source, 'file')]) chownSync(path, uid, gid);
    return source;
  }

  function mountTmpfs(place: string): void {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place]);
    mounted.push(place);
    bundle.keepWhatIsThere();
  }

  const bind = (source: string, options: string[], rest: Partial<OciMount> = {}): Change => {
    return (spec) =>
      void spec.mounts!.push({
        destination: '/data',
        source,
        options: ['bind', ...options],
        ...rest,
      });
  };

  const failureOf = (change: Change): Promise<LaunchError> =>
    launchFailure(launch({ id: newId(), spec: shellSpec('exit 99', change), bundle: bundle.path }));

  const maps = { uidMappings: [line(5000, 0)], gidMappings: [line(6000, 0)] };

  describe.each([
    ['bundle', ''],
    ['tmpfs', tmpfsLacks],
  ] as const)('on the %s', (on, lacks) => {
    it.skipIf(lacks !== '')(
      `launch shows the mapped owners of a bind mount, and makes files with them${lacks}`,
      async () => {
        // On the file system an id is one of the container's side of the map, as under runc.
        const source = makeSource(5007, 6008, on);
        chmodSync(source, 0o777);
        const { stdout, stderr } = await runIn(
          bundle,
          'stat -c %u:%g /data/file; touch /data/made; stat -c %u:%g /data/made; grep " /data " /proc/self/mountinfo',
          bind(source, [], maps),
        );
        expect(stderr).toBe('');
        expect(stdout).toMatch(/^7:8\n0:0\n.*idmapped/);
        const { uid, gid } = statSync(join(source, 'made'));
        expect([uid, gid]).toEqual([5000, 6000]);
        expect(statSync(join(source, 'file')).uid).toBe(5007);
      },
    );
  });

  it.skipIf(tmpfsLacks !== '').each([
    ['idmap', false],
    ['ridmap', true],
  ])(`launch maps with %s what is mounted below: %s${tmpfsLacks}`, async (option, recursive) => {
    const source = makeSource(5007, 6008);
    const below = join(source, 'below');
    mkdirSync(below);
    mountTmpfs(below);
    chownSync(below, 5007, 6008);
    const { stdout, stderr } = await runIn(
      bundle,
      'stat -c %u:%g /data/file /data/below',
      bind(source, ['rbind', option], maps),
    );
    expect(stderr).toBe('');
    expect(stdout).toBe(`7:8\n${recursive ? '7:8' : '5007:6008'}\n`);
  });

  it('launch takes the maps of the container’s user namespace, so that owners look as on the host', async () => {
    const source = makeSource(7, 8);
    const { stdout, stderr } = await runIn(
      bundle,
      'stat -c %u:%g /data/file; touch /data/made && stat -c %u:%g /data/made',
      withUser((spec) => {
        bind(source, ['idmap'])(spec);
        // Its owner is the host's user 7 in the namespace.
        spec.process.user = { uid: 7, gid: 8 };
      }),
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('7:8\n7:8\n');
    const { uid, gid } = statSync(join(source, 'made'));
    expect([uid, gid]).toEqual([7, 8]);
  });

  it('launch keeps an id-mapped mount read-only where that is asked for', async () => {
    const source = makeSource(5000, 6000);
    const { stdout, stderr } = await runIn(
      bundle,
      'stat -c %u:%g /data/file; touch /data/made; cat /proc/self/mountinfo',
      bind(source, ['ro', 'nosuid'], maps),
    );
    expect(stdout).toMatch(/^0:0\n/);
    expect(stderr).toMatch(/Read-only file system/);
    expect(mountAt(stdout, '/data')?.options.split(',')).toEqual(
      expect.arrayContaining(['ro', 'nosuid']),
    );
    expect(readdirSync(source)).toEqual(['file']);
  });

  it('launch says which file system cannot map owners', async () => {
    expect(await failureOf(bind('/proc', ['rbind'], maps))).toMatchObject({
      step: 'mounts',
      syscall: 'mount_setattr',
      errnoCode: 'EINVAL',
      path: '/proc',
      index: 7,
      message: expect.stringContaining('map the ids of /proc (mounts[7])'),
      hint: expect.stringMatching(/must know id-mapped mounts/),
    });
  });

  describe('a source that only its owner may enter', () => {
    function makePrivate(): { above: string; source: string } {
      const above = makeSource(1234, 1234);
      const source = join(above, 'inner');
      mkdirSync(source);
      writeFileSync(join(source, 'file'), 'text');
      chmodSync(above, 0o700);
      return { above, source };
    }

    it.each([
      ['writable', [], /^$/, ['file', 'made']],
      ['read-only', ['ro'], /Read-only file system/, ['file']],
    ])(
      'launch binds it %s into a user namespace, which keeps the child from it',
      async (_, options, said, left) => {
        const { source } = makePrivate();
        chownSync(source, 100_000, 200_000);
        const { stdout, stderr } = await runIn(
          bundle,
          'cat /data/file; touch /data/made',
          withUser(bind(source, options)),
        );
        expect(stdout).toBe('text');
        expect(stderr).toMatch(said);
        expect(readdirSync(source)).toEqual(left);
      },
    );

    it('launch binds it with everything that is mounted below', async () => {
      const { source } = makePrivate();
      const below = join(source, 'below');
      mkdirSync(below);
      mountTmpfs(below);
      writeFileSync(join(below, 'deep'), 'deep');
      const { stdout } = await runIn(
        bundle,
        'cat /data/below/deep',
        withUser(bind(source, ['rbind', 'ro'])),
      );
      expect(stdout).toBe('deep');
    });

    it('launch shows nothing of what lies beside it', async () => {
      const { above, source } = makePrivate();
      const { stdout, stderr } = await runIn(
        bundle,
        `ls -A /data /data/..; cat ${above}/file`,
        withUser(bind(source, [])),
      );
      expect(stdout).not.toContain('inner');
      expect(stderr).toContain("can't open");
    });

    it('launch says which one is not there', async () => {
      const { source } = makePrivate();
      expect(await failureOf(withUser(bind(join(source, 'nosuch'), [])))).toMatchObject({
        step: 'mounts',
        errnoCode: 'ENOENT',
        path: join(source, 'nosuch'),
        index: 7,
      });
    });

    it('launch takes a root file system from there', async () => {
      const { above } = makePrivate();
      const rootfs = join(above, 'rootfs');
      execFileSync('cp', ['-a', bundle.rootfs, rootfs]);
      const { stdout, stderr } = await runIn(
        bundle,
        'echo inside; stat -c %u /',
        withUser((spec) => void (spec.root.path = rootfs)),
      );
      expect(stderr).toBe('');
      expect(stdout).toBe('inside\n65534\n');
    });
  });
});
