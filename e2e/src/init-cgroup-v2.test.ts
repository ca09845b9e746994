// On a host with the unified hierarchy alone: a mount namespace in which nothing else is mounted.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type OciSpec, readHierarchies } from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BusyboxBundle, makeBundle, missing, newId, shellSpec } from './init-bundle.ts';

const run = promisify(execFile);
const hasV2 = readFileSync('/proc/filesystems', 'utf8').includes('cgroup2');
const needs = missing('root', 'busybox-static');
const lacking = hasV2 ? needs : `${needs} (needs cgroup2)`;

describe.skipIf(lacking !== '')(`launch with cgroup v2 alone${lacking}`, () => {
  let bundle: BusyboxBundle;

  beforeAll(() => {
    bundle = makeBundle();
  });
  afterAll(() => {
    bundle.remove();
  });

  /** Launches from a fresh Node that sees cgroup2 on /sys/fs/cgroup, and returns what it prints. */
  async function launchThere(spec: unknown): Promise<{
    status: { code: number };
    stdout: string;
    cgroups: string[];
    left: boolean;
    phases: string[];
  }> {
    return runThere(
      `const launched = await launch(
         { id: ${JSON.stringify(newId())}, spec: ${JSON.stringify(spec)}, bundle: ${JSON.stringify(bundle.path)} },
         { stdio: ['ignore', 'pipe', 'inherit'] },
       );
       let stdout = '';
       for await (const part of launched.stdout) stdout += part;
       const status = await launched.exited;
       console.log(JSON.stringify({
         status, stdout, cgroups: launched.cgroupPaths,
         left: launched.cgroupPaths.some((path) => existsSync(path)),
         phases: launched.phases.map(({ name }) => name),
       }));`,
    );
  }

  /** Runs a program with the library's names in a fresh Node there, and returns the JSON that it prints. */
  async function runThere<T>(body: string): Promise<T> {
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const program = join(bundle.path, 'launch.mjs');
    writeFileSync(
      program,
      `import { existsSync, readFileSync } from 'node:fs';
       import * as init from ${JSON.stringify(library)};
       const { launch } = init;
       const start = (spec, options) => launch(
         { id: ${JSON.stringify(newId())}, spec, bundle: ${JSON.stringify(bundle.path)} },
         { stdio: ['ignore', 'pipe', 'inherit'], ...options },
       );
       ${body}`,
    );
    const script =
      'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$1"';
    const { stdout } = await run('unshare', [
      '--mount',
      'sh',
      '-c',
      script,
      process.execPath,
      program,
    ]);
    return JSON.parse(stdout) as T;
  }

  it('launch starts the program in its cgroup and removes that afterwards', async () => {
    const result = await launchThere(
      shellSpec('cat /proc/self/cgroup; grep cgroup /proc/self/mountinfo; exit 7'),
    );
    expect(result).toMatchObject({ status: { code: 7 }, left: false });
    expect(result.cgroups).toHaveLength(1);
    // It never stood anywhere else.
    expect(result.phases).not.toContain('enter cgroup');
    expect(result.stdout).toContain('0::/\n');
    expect(result.stdout).toMatch(
      / \/ \/sys\/fs\/cgroup ro,nosuid,nodev,noexec.* - cgroup2 cgroup2? /,
    );
  });

  it('launch lets a program on the cgroup deny devices, and allow what is allowed', async () => {
    const sets = ['CAP_MKNOD', 'CAP_DAC_OVERRIDE'];
    const result = await launchThere(
      shellSpec(
        'mknod /dev/disk b 254 0 && echo made; cat /dev/disk 2>&1 | head -c 100; head -c1 /dev/zero | wc -c; echo x > /dev/null && echo null; mknod /dev/kmsg c 1 11; cat /dev/kmsg 2>&1',
        (spec) => {
          spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
          spec.process.noNewPrivileges = false;
        },
      ),
    );
    expect(result.stdout).toContain('made\n');
    expect(result.stdout).toMatch(/disk': Operation not permitted/);
    expect(result.stdout).toContain('1\nnull\n');
    expect(result.stdout).toMatch(/kmsg': Operation not permitted/);
  });

  const unified = readHierarchies().find(({ version }) => version === 2)?.mountpoint;
  const controllers =
    unified === undefined ? '' : readFileSync(join(unified, 'cgroup.controllers'), 'utf8');
  const hasHugetlb = controllers.includes('hugetlb');
  const hugetlb = hasHugetlb ? '' : ' (needs the hugetlb controller on v2)';
  const limitedBelow = (parent: string, script: string): OciSpec =>
    shellSpec(script, (spec) => {
      spec.linux!.cgroupsPath = `/${parent}/inner`;
      spec.linux!.resources = {
        ...spec.linux!.resources,
        hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
        unified: { 'hugetlb.1GB.max': '0', 'cgroup.max.descendants': '3' },
      };
    });

  it.skipIf(!hasHugetlb)(
    `launch hands a controller down to the cgroup that needs it and sets its limits${hugetlb}`,
    async () => {
      const parent = newId();
      const { stdout } = await launchThere(
        limitedBelow(
          parent,
          'cd /sys/fs/cgroup; cat cgroup.controllers hugetlb.2MB.max hugetlb.2MB.rsvd.max hugetlb.1GB.max cgroup.max.descendants',
        ),
      );
      expect(stdout).toBe('hugetlb\n4194304\n4194304\n0\n3\n');
      rmdirSync(join(unified!, parent));
    },
  );

  it.skipIf(!hasHugetlb)(
    `launch explains that a cgroup with processes hands nothing down${hugetlb}`,
    async () => {
      const parent = newId();
      mkdirSync(join(unified!, parent));
      const sleeper = spawn('sleep', ['100'], { stdio: 'ignore' });
      writeFileSync(join(unified!, parent, 'cgroup.procs'), String(sleeper.pid));
      const failure = await runThere<Record<string, unknown>>(
        `const failure = await start(${JSON.stringify(limitedBelow(parent, 'true'))}).catch((error) => error);
         const { name, step, errnoCode, path, hint, message } = failure;
         console.log(JSON.stringify({ name, step, errnoCode, path, hint, message }));
         process.exit();`,
      );
      const ended = once(sleeper, 'exit');
      sleeper.kill('SIGKILL');
      await ended;
      expect(existsSync(join(unified!, parent, 'inner'))).toBe(false);
      rmdirSync(join(unified!, parent));
      expect(failure).toMatchObject({
        name: 'LaunchError',
        step: 'cgroup',
        errnoCode: 'EBUSY',
        path: `/sys/fs/cgroup/${parent}/cgroup.subtree_control`,
        message: `enable hugetlb below /sys/fs/cgroup/${parent}: EBUSY`,
        hint: expect.stringMatching(/either holds processes or hands controllers down/),
      });
    },
  );

  it.skipIf(controllers.includes('memory'))(
    'launch refuses a limit whose controller v2 does not have here (needs memory to be elsewhere)',
    async () => {
      const spec = shellSpec('true', ({ linux }) => {
        linux!.resources = { ...linux!.resources, memory: { limit: 1_000_000 } };
      });
      const failure = await runThere<Record<string, unknown>>(
        `const { name, field, message } = await start(${JSON.stringify(spec)}).catch((error) => error);
         console.log(JSON.stringify({ name, field, message }));`,
      );
      expect(failure).toMatchObject({
        name: 'UnsupportedConfigError',
        field: 'linux.resources.memory.limit',
        message: expect.stringMatching(/it needs the memory controller/),
      });
    },
  );

  it('freezeCgroup, cgroupStats, killCgroup and watchCgroup work with v2 alone', async () => {
    const result = await runThere<Record<string, unknown>>(
      `const process = await start(${JSON.stringify(shellSpec('sleep 100 & sleep 100 & echo ready; wait'))});
       const ready = String((await process.stdout.iterator({ destroyOnReturn: false }).next()).value);
       const paths = process.cgroupPaths;
       const watching = (async () => {
         const seen = [];
         for await (const event of init.watchCgroup(paths)) seen.push(event);
         return seen;
       })();
       const count = (await init.cgroupProcesses(paths)).length;
       const frozen = () => /^frozen (\\d)$/m.exec(readFileSync(paths[0] + '/cgroup.events', 'utf8'))[1];
       await init.freezeCgroup(paths);
       const states = [frozen()];
       await init.thawCgroup(paths);
       states.push(frozen());
       const stats = await init.cgroupStats(paths);
       await init.freezeCgroup(paths);
       await init.killCgroup(paths);
       const left = await init.cgroupProcesses(paths);
       process.stdout.resume();
       const { signal } = await process.exited;
       console.log(JSON.stringify({
         ready, count, states, left, signal, seen: await watching,
         usedCpu: stats.cpu.usage.total > 0n,
         counters: Object.values(await init.readCgroupCounters(paths)).map(String),
       }));`,
    );
    expect(result).toEqual({
      ready: 'ready\n',
      count: 3,
      states: ['1', '0'],
      left: [],
      signal: 9,
      seen: [],
      usedCpu: true,
      counters: ['0', '0'],
    });
  });
});
