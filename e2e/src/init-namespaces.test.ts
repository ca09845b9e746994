// All eight namespaces: made, joined by path, and mixed with user namespaces.
import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  launch,
  type LaunchError,
  type OciNamespace,
  type OciSpec,
  startZygote,
  stockSpec,
  ZygoteError,
} from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, launchFailure, missing, newId, runIn, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const files = { cgroup: 1, ipc: 1, mnt: 1, net: 1, pid: 1, time: 1, user: 1, uts: 1 };
type NamespaceFile = keyof typeof files;
const allFiles = Object.keys(files) as NamespaceFile[];

const listNamespaces = `for ns in ${allFiles.join(' ')}; do readlink /proc/self/ns/$ns; done`;

/** `net:[4026531840]` by its type. */
const parseNamespaces = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line]),
  );
const namespacesOf = (pid: number | 'self'): Record<string, string> =>
  Object.fromEntries(allFiles.map((file) => [file, readlinkSync(`/proc/${pid}/ns/${file}`)]));

const withUser =
  (change: Change = () => {}): Change =>
  (spec) => {
    spec.linux!.namespaces!.push({ type: 'user' });
    spec.linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    spec.linux!.gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
    change(spec);
  };

describe.skipIf(lacking !== '')(`launch and namespaces${lacking}`, () => {
  const bundle = useCleanBundle();

  /** A process that sits in namespaces of its own; ended when `use` is done. */
  async function besideProcess<T>(
    flags: string[],
    use: (pid: number, namespaces: Record<string, string>) => Promise<T>,
  ): Promise<T> {
    const child = spawn('unshare', [...flags, 'sh', '-c', 'echo $$; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    const begun = new Promise((resolve) => child.stdout.once('data', resolve));
    try {
      await Promise.race([
        begun,
        gone.then(() => {
          throw new Error(`unshare ${flags.join(' ')} has ended`);
        }),
      ]);
      return await use(child.pid!, namespacesOf(child.pid!));
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
  }

  const replace = (spec: OciSpec, ...namespaces: OciNamespace[]): void => {
    const types = namespaces.map(({ type }) => type);
    spec.linux!.namespaces = [
      ...spec.linux!.namespaces!.filter(({ type }) => !types.includes(type)),
      ...namespaces,
    ];
  };

  it('launch makes all eight at once', async () => {
    const { stdout } = await runIn(
      bundle,
      listNamespaces,
      withUser((spec) => void spec.linux!.namespaces!.push({ type: 'time' })),
    );
    const [inside, outside] = [parseNamespaces(stdout), namespacesOf('self')];
    for (const file of allFiles) expect(inside[file]).not.toBe(outside[file]);
  });

  it('launch sets the clocks of a time namespace', async () => {
    const { stdout } = await runIn(bundle, 'cat /proc/uptime /proc/self/timens_offsets', (spec) => {
      spec.linux!.namespaces!.push({ type: 'time' });
      spec.linux!.timeOffsets = {
        monotonic: { secs: 1000, nanosecs: 5 },
        boottime: { secs: 10_000_000 },
      };
    });
    expect(Number(stdout.split(' ')[0])).toBeGreaterThan(10_000_000);
    expect(stdout).toMatch(/monotonic\s+1000\s+5\nboottime\s+10000000\s+0/);
  });

  it('launch says which clock cannot be set so', async () => {
    const error = await failureOf((spec) => {
      spec.linux!.namespaces!.push({ type: 'time' });
      spec.linux!.timeOffsets = { boottime: { secs: -10_000_000_000 } };
    });
    expect(error).toMatchObject({
      step: 'time namespace',
      errnoCode: 'ERANGE',
      path: '/proc/self/timens_offsets',
      hint: expect.stringContaining('below zero'),
    });
  });

  it('launch maps ids, and the program is root inside and nobody outside', async () => {
    const { stdout } = await runIn(
      bundle,
      'id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/mine; stat -c %u:%g /tmp/mine; cat /proc/self/setgroups',
      withUser((spec) => {
        spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
      }),
    );
    expect(stdout.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '))).toEqual([
      '0',
      '0 100000 65536',
      '0 200000 65536',
      '0:0',
      'allow',
      '',
    ]);
  });

  it('launch gives /dev/mqueue to the root of a user namespace', async () => {
    const script = 'stat -c %u:%g /dev/mqueue; chmod 1755 /dev/mqueue && echo changed';
    const { stdout } = await runIn(bundle, script, withUser());
    expect(stdout).toBe('0:0\nchanged\n');
  });

  it('launch runs a user of a user namespace with the groups that are mapped', async () => {
    const { stdout } = await runIn(
      bundle,
      'id; grep ^CapEff /proc/self/status',
      withUser((spec) => {
        spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 4000] };
      }),
    );
    expect(stdout).toContain('uid=1000(user) gid=1001 groups=5,4000');
    expect(stdout).toContain('CapEff:\t0000000000000000');
  });

  it('launch says which id is not mapped', async () => {
    const error = await failureOf(
      withUser((spec) => void (spec.process.user = { uid: 70_000, gid: 0 })),
    );
    expect(error).toMatchObject({
      step: 'credentials',
      syscall: 'setresuid',
      errnoCode: 'EINVAL',
      path: 'uid 70000',
    });
  });

  it.each<[NamespaceFile, OciNamespace['type'], string[]]>([
    ['net', 'network', ['--net']],
    ['ipc', 'ipc', ['--ipc']],
    ['uts', 'uts', ['--uts']],
    ['cgroup', 'cgroup', ['--cgroup']],
  ])('launch joins a namespace by its path: %s', async (file, type, flags) => {
    await besideProcess(flags, async (pid, namespaces) => {
      const { stdout } = await runIn(bundle, listNamespaces, (spec) =>
        replace(spec, { type, path: `/proc/${pid}/ns/${file}` }),
      );
      expect(parseNamespaces(stdout)[file]).toBe(namespaces[file]);
    });
  });

  it('launch joins a pid namespace: the program is born in it', async () => {
    const other = await launch(
      { id: newId(), spec: shellSpec('sleep 1000'), bundle: bundle.path },
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    try {
      const { stdout } = await runIn(bundle, `echo $$; ${listNamespaces}; ps -o pid,args`, (spec) =>
        replace(spec, { type: 'pid', path: `/proc/${other.pid}/ns/pid` }),
      );
      const [pid, ...rest] = stdout.split('\n');
      expect(Number(pid)).toBeGreaterThan(1);
      expect(parseNamespaces(rest.slice(0, allFiles.length).join('\n'))['pid']).toBe(
        readlinkSync(`/proc/${other.pid}/ns/pid`),
      );
      expect(stdout).toMatch(/1 .*sleep 1000/);
      // The one that forks has come back from there.
      const { stdout: next } = await runIn(bundle, 'echo $$');
      expect(next).toBe('1\n');
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('launch joins a mount namespace and works in it', async () => {
    await besideProcess(['--mount', '--propagation', 'private'], async (pid, namespaces) => {
      const { stdout } = await runIn(bundle, listNamespaces, (spec) =>
        replace(spec, { type: 'mount', path: `/proc/${pid}/ns/mnt` }),
      );
      expect(parseNamespaces(stdout)['mnt']).toBe(namespaces['mnt']);
    });
  });

  it('launch joins a time namespace', async () => {
    const flags = ['--time', '--fork', '--kill-child', '--boottime', '10000000'];
    await besideProcess(flags, async (pid) => {
      const path = `/proc/${pid}/ns/time_for_children`;
      const { stdout } = await runIn(bundle, 'cat /proc/uptime', (spec) => {
        spec.linux!.namespaces!.push({ type: 'time', path });
      });
      expect(Number(stdout.split(' ')[0])).toBeGreaterThan(10_000_000);
    });
  });

  it('launch joins a network namespace of the host and makes a user namespace', async () => {
    await besideProcess(['--net'], async (pid, namespaces) => {
      const { stdout } = await runIn(
        bundle,
        `${listNamespaces}; echo $$`,
        withUser((spec) => {
          replace(spec, { type: 'network', path: `/proc/${pid}/ns/net` });
          // Its file system belongs to whoever owns the network namespace.
          spec.mounts = spec.mounts!.filter(({ destination }) => !destination.startsWith('/sys'));
        }),
      );
      const inside = parseNamespaces(stdout.trim().split('\n').slice(0, -1).join('\n'));
      expect(inside['net']).toBe(namespaces['net']);
      expect(inside['user']).not.toBe(namespacesOf('self')['user']);
      expect(stdout).toMatch(/\n1\n$/);
    });
  });

  it('launch takes a path of any length: a zygote that did not would end with all its launches', async () => {
    const zygote = await startZygote();
    try {
      const path = `/proc/self/${'./'.repeat(2000)}ns/net`;
      const change = withUser((spec) => replace(spec, { type: 'network', path }));
      const first = await runIn(bundle, 'true', change, { zygote }).catch(
        (error: unknown) => error,
      );
      expect(first).not.toBeInstanceOf(ZygoteError);
      expect((await runIn(bundle, 'exit 5', undefined, { zygote })).status.code).toBe(5);
    } finally {
      await zygote.close();
    }
  });

  it('launch joins a user namespace and makes the others in it', async () => {
    await besideProcess(['--user'], async (pid, namespaces) => {
      for (const map of ['uid_map', 'gid_map']) {
        writeFileSync(`/proc/${pid}/${map}`, '0 100000 65536');
      }
      const { stdout, stderr } = await runIn(
        bundle,
        `${listNamespaces}; id -u; echo $$; mount -t tmpfs none /tmp && echo mine`,
        (spec) => {
          spec.linux!.namespaces!.push({ type: 'user', path: `/proc/${pid}/ns/user` });
          const sets = ['CAP_SYS_ADMIN'];
          spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
        },
      );
      expect(stderr).toBe('');
      expect(parseNamespaces(stdout)['user']).toBe(namespaces['user']);
      expect(stdout).toMatch(/\n0\n1\nmine\n$/);
    });
  });

  it('launch joins all namespaces of a container that has its own user namespace', async () => {
    const other = await launch(
      {
        id: newId(),
        spec: shellSpec(
          'sleep 1000',
          withUser((spec) => void spec.linux!.namespaces!.push({ type: 'time' })),
        ),
        bundle: bundle.path,
      },
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    try {
      const types = { network: 'net', ipc: 'ipc', uts: 'uts', pid: 'pid', user: 'user' } as const;
      const { stdout } = await runIn(bundle, `${listNamespaces}; ps -o args`, (spec) => {
        replace(
          spec,
          ...Object.entries(types).map(([type, file]) => ({
            type: type as OciNamespace['type'],
            path: `/proc/${other.pid}/ns/${file}`,
          })),
        );
        delete spec.hostname;
      });
      const inside = parseNamespaces(stdout.split('\n').slice(0, allFiles.length).join('\n'));
      const theirs = namespacesOf(other.pid);
      for (const file of Object.values(types)) expect(inside[file]).toBe(theirs[file]);
      expect(stdout).toContain('sleep 1000');
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it.each<[string, Change, Partial<LaunchError>]>([
    [
      'a path that does not exist',
      (spec) => replace(spec, { type: 'network', path: '/proc/self/ns/nosuch' }),
      { step: 'namespaces', errnoCode: 'ENOENT', path: '/proc/self/ns/nosuch', index: 5 },
    ],
    [
      'a namespace of another type',
      (spec) => replace(spec, { type: 'network', path: '/proc/self/ns/uts' }),
      { step: 'namespaces', errnoCode: 'EINVAL', path: '/proc/self/ns/uts', syscall: 'setns' },
    ],
    [
      'a file that is no namespace',
      (spec) => replace(spec, { type: 'ipc', path: '/etc/passwd' }),
      { step: 'namespaces', errnoCode: 'EINVAL', path: '/etc/passwd', syscall: 'setns' },
    ],
    [
      'a pid namespace that is none',
      (spec) => replace(spec, { type: 'pid', path: '/etc/passwd' }),
      { step: 'fork', errnoCode: 'EINVAL', syscall: 'setns' },
    ],
    [
      'a user namespace that is the own one',
      (spec) => replace(spec, { type: 'user', path: '/proc/self/ns/user' }),
      { step: 'namespaces', errnoCode: 'EINVAL', path: '/proc/self/ns/user' },
    ],
  ])('launch refuses %s', async (_, change, expected) => {
    expect(await failureOf(change)).toMatchObject(expected);
  });

  it('launch can write what belongs to the mapped root, and nothing else', async () => {
    const mine = join(bundle.rootfs, 'data/mine');
    const theirs = join(bundle.rootfs, 'data/theirs');
    for (const path of [mine, theirs]) mkdirSync(path);
    chownSync(mine, 100_000, 200_000);
    writeFileSync(join(theirs, 'x'), '');
    const { stdout } = await runIn(
      bundle,
      'touch /data/mine/x && echo wrote; touch /data/theirs/x 2>/dev/null || echo refused; stat -c %u /data/theirs',
      withUser((spec) => void (spec.root.readonly = false)),
    );
    expect(stdout).toBe('wrote\nrefused\n65534\n');
  });

  const failureOf = (change: Change): Promise<LaunchError> =>
    launchFailure(launch({ id: newId(), spec: shellSpec('exit 99', change), bundle: bundle.path }));

  it('the stock specification has six of the eight', () => {
    expect(stockSpec().linux!.namespaces).toHaveLength(6);
  });
});
