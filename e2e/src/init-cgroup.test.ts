// Limits of cgroup v1 and of a hybrid host, on a real kernel: what the control files say, beside
// runc, and that they bite.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  LaunchError,
  type OciResources,
  readCgroupCounters,
  readHierarchies,
  UnsupportedConfigError,
  launch,
} from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, runIn, shellSpec, textOf } from './init-bundle.ts';

const hierarchies = readHierarchies();
const v1 = new Set(
  hierarchies.flatMap(({ version, controllers }) => (version === 1 ? controllers.split(',') : [])),
);
const lackingV1 = ['memory', 'pids', 'cpu', 'cpuset', 'blkio', 'freezer'].filter(
  (controller) => !v1.has(controller),
);
const needs = missing('root', 'busybox-static', 'runc');
const lacking =
  lackingV1.length === 0 ? needs : `${needs} (needs on cgroup v1: ${lackingV1.join(', ')})`;

const limited =
  (resources: OciResources): Change =>
  (spec) => {
    spec.linux!.resources = { ...spec.linux!.resources, ...resources };
  };

const MiB = 1024 * 1024;
/** The block device that a test can name, if the host has one. */
const disk = existsSync('/sys/block')
  ? readdirSync('/sys/block')
      .filter((name) => !name.startsWith('loop'))
      .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim().split(':').map(Number))
      .map(([major, minor]) => ({ major: major!, minor: minor! }))[0]
  : undefined;

/** Files whose text limits something, not counts it. */
const controlFiles =
  /^(memory\.(limit_in_bytes|memsw\.limit_in_bytes|soft_limit_in_bytes|swappiness|oom_control|kmem\.tcp\.limit_in_bytes|use_hierarchy)|cpu\.(shares|idle|cfs_\w+|rt_\w+)|cpuset\.(cpus|mems)|pids\.max|blkio\.(bfq\.)?weight(_device)?|blkio\.throttle\.\w+_device|hugetlb\..*\.(max|limit_in_bytes)|devices\.list)$/;

function controlsOf(paths: readonly string[]): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const path of paths) {
    for (const file of readdirSync(path).filter((name) => controlFiles.test(name))) {
      texts[file] = readFileSync(join(path, file), 'utf8');
    }
  }
  return texts;
}

describe.skipIf(lacking !== '')(`launch with limits on cgroup v1${lacking}`, () => {
  const bundle = useCleanBundle();

  async function controlsUnderOurs(change: Change): Promise<Record<string, string>> {
    const process = await launch(
      { id: newId(), spec: shellSpec('read line', change), bundle: bundle.path },
      { stdio: ['pipe', 'inherit', 'inherit'] },
    );
    const controls = controlsOf(process.cgroupPaths);
    process.stdin!.end();
    await process.exited;
    return controls;
  }

  /** The same control files, of a container that runc made and has not started. */
  async function controlsUnderRunc(change: Change): Promise<Record<string, string>> {
    const spec = shellSpec('true', change);
    writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(spec));
    const id = newId();
    // Without pipes, which the container would keep open.
    const runc = async (...args: string[]): Promise<void> => {
      const all = ['--root', join(bundle.path, 'state'), ...args];
      const [code] = (await once(spawn('runc', all, { stdio: 'ignore' }), 'exit')) as [number];
      expect([args[0], code]).toEqual([args[0], 0]);
    };
    await runc('create', '--bundle', bundle.path, '--pid-file', join(bundle.path, 'pid'), id);
    try {
      const { cgroup_paths: paths } = JSON.parse(
        readFileSync(join(bundle.path, 'state', id, 'state.json'), 'utf8'),
      ) as { cgroup_paths: Record<string, string> };
      // runc 1.1 leaves the v2 part of a hybrid host alone.
      return controlsOf(Object.values(paths).filter((path) => existsSync(path)));
    } finally {
      await runc('delete', '--force', id);
    }
  }

  it.each<[name: string, resources: OciResources]>([
    ['nothing', {}],
    [
      'memory',
      {
        memory: {
          limit: 64 * MiB,
          swap: 96 * MiB,
          reservation: 32 * MiB,
          swappiness: 10,
          disableOOMKiller: true,
        },
      },
    ],
    ['no memory limit', { memory: { limit: -1, reservation: -1, swap: -1 } }],
    ['cpu', { cpu: { shares: 512, quota: 50_000, period: 200_000, cpus: '0', mems: '0' } }],
    ['no quota', { cpu: { quota: -1, cpus: '0-1' } }],
    ['pids', { pids: { limit: 77 } }],
    ['no pids limit', { pids: { limit: -1 } }],
    ...(disk === undefined
      ? []
      : ([
          [
            'throttled devices',
            {
              blockIO: {
                throttleReadBpsDevice: [{ ...disk, rate: 9_007_199_254_740_993n }],
                throttleWriteBpsDevice: [{ ...disk, rate: 1_000_000 }],
                throttleReadIOPSDevice: [{ ...disk, rate: 1000 }],
                throttleWriteIOPSDevice: [{ ...disk, rate: 4_294_967_295 }],
              },
            },
          ],
        ] as [string, OciResources][])),
  ])('launch sets the control files as runc does: %s', async (_, resources) => {
    const change = limited(resources);
    const numbers = (_key: string, value: unknown): unknown =>
      typeof value === 'bigint' ? Number(value) : value;
    const [ours, theirs] = [
      await controlsUnderOurs(change),
      await controlsUnderRunc(
        limited(JSON.parse(JSON.stringify(resources, numbers)) as OciResources),
      ),
    ];
    // runc before 1.2 lets every container use /dev/net/tun; the specification has no such default.
    theirs['devices.list'] = theirs['devices.list']!.replace('c 10:200 rwm\n', '');
    const sorted = (text: string): string => text.split('\n').toSorted().join('\n');
    for (const controls of [ours, theirs]) {
      controls['devices.list'] = sorted(controls['devices.list']!);
      for (const file of Object.keys(controls)) {
        // Of the v2 part, which runc 1.1 does not set up here; and its numbers are doubles in this test.
        if (file.startsWith('hugetlb')) delete controls[file];
        if (file.endsWith('read_bps_device')) {
          controls[file] = controls[file]!.replace('9007199254740993', '9007199254740992');
        }
      }
    }
    expect(Object.keys(ours).length).toBeGreaterThan(10);
    expect(ours).toEqual(theirs);
  });

  it('launch sets what runc 1.1 does not know: burst, idle, kernel memory for TCP', async () => {
    const controls = await controlsUnderOurs(
      limited({
        cpu: { quota: 50_000, period: 100_000, burst: 20_000 },
        memory: { kernelTCP: 8 * MiB },
      }),
    );
    expect(controls).toMatchObject({
      'cpu.cfs_burst_us': '20000\n',
      'memory.kmem.tcp.limit_in_bytes': `${8 * MiB}\n`,
    });
    expect(await controlsUnderOurs(limited({ cpu: { idle: 1 } }))).toMatchObject({
      'cpu.idle': '1\n',
    });
  });

  it('launch hands huge pages to the v2 part of a hybrid host', async (context) => {
    const unified = hierarchies.find(({ version }) => version === 2);
    const file = join(unified?.mountpoint ?? '', 'cgroup.controllers');
    if (v1.has('hugetlb') || !existsSync(file) || !readFileSync(file, 'utf8').includes('hugetlb')) {
      context.skip('hugetlb is not in a v2 hierarchy beside v1');
    }
    const controls = await controlsUnderOurs(
      limited({
        hugepageLimits: [{ pageSize: '2MB', limit: 4 * MiB }],
        unified: { 'hugetlb.1GB.max': 'max' },
      }),
    );
    expect(controls).toMatchObject({
      'hugetlb.2MB.max': `${4 * MiB}\n`,
      'hugetlb.2MB.rsvd.max': `${4 * MiB}\n`,
      'hugetlb.1GB.max': 'max\n',
    });
  });

  it('launch ends a program that takes more memory than it may, and the counters tell', async () => {
    let counters: unknown;
    const launched = Promise.withResolvers<readonly string[]>();
    const spec = shellSpec(
      // Fills memory with what tail keeps of an endless line.
      'tail /dev/zero',
      limited({ memory: { limit: 24 * MiB, swap: 24 * MiB } }),
    );
    const process = await launch(
      { id: newId(), spec, bundle: bundle.path },
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        onExit: async () => {
          counters = await readCgroupCounters(await launched.promise);
        },
      },
    );
    launched.resolve(process.cgroupPaths);
    const status = await process.exited;
    expect(status.signal === 9 || status.code === 137).toBe(true);
    expect(counters).toEqual({ oomKill: 1n, pidsLimit: 0n });
  });

  it('launch fails a fork beyond the pids limit with EAGAIN, and the counters tell', async () => {
    let counters: { pidsLimit: bigint } | undefined;
    const launched = Promise.withResolvers<readonly string[]>();
    const spec = shellSpec(
      'sleep 100 & sleep 100 & sleep 100 & sleep 100 & echo not reached',
      limited({ pids: { limit: 3 } }),
    );
    const process = await launch(
      { id: newId(), spec, bundle: bundle.path },
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        onExit: async () => {
          counters = await readCgroupCounters(await launched.promise);
        },
      },
    );
    launched.resolve(process.cgroupPaths);
    const [said, status] = await Promise.all([textOf(process.stderr), process.exited]);
    expect(said).toMatch(/can't fork|Resource temporarily unavailable/);
    expect(status.code).not.toBe(0);
    expect(counters!.pidsLimit).toBeGreaterThan(0n);
  });

  it('launch keeps a program on its CPUs', async () => {
    const { stdout } = await runIn(
      bundle,
      'grep Cpus_allowed_list /proc/self/status',
      limited({ cpu: { cpus: '1', mems: '0' } }),
    );
    expect(stdout).toBe('Cpus_allowed_list:\t1\n');
  });

  it('launch holds a program to its quota', async () => {
    const { stdout } = await runIn(
      bundle,
      // A tenth of one CPU: a loop that never waits is throttled.
      'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; cat /sys/fs/cgroup/cpu/cpu.stat',
      limited({ cpu: { quota: 10_000, period: 100_000 } }),
    );
    expect(Number(/nr_throttled (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(0);
  });

  it.each<[field: string, resources: OciResources]>([
    ['memory.kernel', { memory: { kernel: 64 * MiB } }],
    ['blockIO.leafWeight', { blockIO: { leafWeight: 100 } }],
    ['cpu.cpus', { cpu: { cpus: '4000' } }],
    ['hugepageLimits[0]', { hugepageLimits: [{ pageSize: '3MB', limit: 1 }] }],
    [
      'blockIO.throttleReadBpsDevice[0]',
      { blockIO: { throttleReadBpsDevice: [{ major: 4000, minor: 77, rate: 1 }] } },
    ],
  ])('launch names the field that this kernel cannot do: %s', async (field, resources) => {
    const failure: unknown = await runIn(bundle, 'true', limited(resources)).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(LaunchError);
    expect(failure).toMatchObject({ step: 'cgroup', path: expect.stringContaining('cgroup') });
    expect((failure as Error).message).toContain(`linux.resources.${field}`);
    expect((failure as LaunchError).hint).toBeTruthy();
  });

  it.each<[field: string, resources: OciResources]>([
    ['network.classID', { network: { classID: 7 } }],
    ['network.priorities[0]', { network: { priorities: [{ name: 'lo', priority: 1 }] } }],
    ['rdma.mlx5_1', { rdma: { mlx5_1: { hcaHandles: 1 } } }],
    ['unified["memory.high"]', { unified: { 'memory.high': '1000' } }],
  ])('launch refuses a field whose controller is not there: %s', async (field, resources) => {
    const failure: unknown = await runIn(bundle, 'true', limited(resources)).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(UnsupportedConfigError);
    expect(failure).toMatchObject({ field: `linux.resources.${field}` });
  });

  it('launch uses a cgroup that was there and is empty, and refuses one that is in use', async () => {
    const name = newId();
    const change: Change = (spec) => void (spec.linux!.cgroupsPath = `/${name}`);
    const memory = hierarchies.find(({ controllers }) => controllers.split(',').includes('memory'));
    mkdirSync(join(memory!.mountpoint, name));
    const process = await launch(
      { id: newId(), spec: shellSpec('read line', change), bundle: bundle.path },
      { stdio: ['pipe', 'inherit', 'inherit'] },
    );
    expect(process.cgroupPaths).toContain(join(memory!.mountpoint, name));
    await expect(runIn(bundle, 'true', change)).rejects.toThrow(/already holds processes/);
    process.stdin!.end();
    await process.exited;
  });
});
