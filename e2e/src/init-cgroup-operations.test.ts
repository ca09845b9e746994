// What can be done to the cgroups of a container that runs: freeze, kill, list, count, limit, watch.
import { existsSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import {
  type CgroupEvent,
  cgroupProcesses,
  cgroupStats,
  freezeCgroup,
  killCgroup,
  launch,
  type LaunchedProcess,
  thawCgroup,
  updateCgroup,
  watchCgroup,
} from '@pilotlight/init';
import { beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const MiB = 1024 * 1024;

describe.skipIf(lacking !== '')(`operations on cgroups${lacking}`, () => {
  const bundle = useCleanBundle();

  beforeAll(() => {
    // Node keeps one inotify descriptor for its event loop from the first watch on.
    watch('/').close();
  });

  /** A container that has said `ready`, and reads lines. */
  async function start(script: string, change?: Change): Promise<LaunchedProcess> {
    const process = await launch(
      { id: newId(), spec: shellSpec(script, change), bundle: bundle.path },
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    await nextLine(process);
    void process.exited.then(() => {
      process.stdin!.destroy();
      process.stdout!.resume();
    });
    return process;
  }

  function nextLine(process: LaunchedProcess): Promise<string> {
    return new Promise((resolve) => {
      process.stdout!.once('data', (data: Buffer) => resolve(data.toString()));
    });
  }

  const fileOf = (process: LaunchedProcess, name: string): string =>
    process.cgroupPaths.map((path) => join(path, name)).find((file) => existsSync(file)) ?? '';

  it('freezeCgroup stops every process, and thawCgroup lets them go on', async () => {
    await using process = await start('echo ready; while read line; do echo got $line; done');
    await freezeCgroup(process.cgroupPaths);
    const state = fileOf(process, 'freezer.state');
    const v2State = fileOf(process, 'cgroup.events');
    expect(state === '' ? readFileSync(v2State, 'utf8') : readFileSync(state, 'utf8')).toMatch(
      /^FROZEN$|^frozen 1$/m,
    );
    process.stdin!.write('a\n');
    const answer = nextLine(process);
    await thawCgroup(process.cgroupPaths);
    expect(await answer).toBe('got a\n');
    await thawCgroup(process.cgroupPaths);
    process.stdin!.end();
    expect(await process.exited).toMatchObject({ code: 0 });
  });

  it('killCgroup leaves nothing, though it is frozen and forks', async () => {
    const process = await start(
      'while :; do sleep 100 & i=$((i+1)); [ $i = 20 ] && { echo ready; read line; }; [ $i -gt 20 ] && sleep 0.01; done',
    );
    expect((await cgroupProcesses(process.cgroupPaths)).length).toBeGreaterThan(20);
    expect(await cgroupProcesses(process.cgroupPaths)).toContain(process.pid);
    process.stdin!.write('go on\n');
    await freezeCgroup(process.cgroupPaths);
    await killCgroup(process.cgroupPaths);
    expect(await cgroupProcesses(process.cgroupPaths)).toEqual([]);
    expect(await process.exited).toMatchObject({ signal: 9 });
    // And once more, of what is gone.
    await killCgroup(process.cgroupPaths);
  });

  it('killCgroup kills one by one where only v1 holds the processes', async () => {
    await using process = await start(
      'sleep 100 & sleep 100 & echo ready; wait',
      // Not the first process of a pid namespace, whose end would end the others.
      (spec) => {
        spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'pid');
      },
    );
    const v1 = process.cgroupPaths.filter((path) => !existsSync(join(path, 'cgroup.kill')));
    expect(await cgroupProcesses(v1)).toHaveLength(v1.length === 0 ? 0 : 3);
    await killCgroup(v1.length === 0 ? process.cgroupPaths : v1);
    expect(await process.exited).toMatchObject({ signal: 9 });
  });

  it('cgroupStats counts what is used', async () => {
    await using process = await start(
      'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 100 & echo ready; read line',
      (spec) => {
        spec.linux!.resources = {
          ...spec.linux!.resources,
          memory: { limit: 64 * MiB },
          pids: { limit: 30 },
        };
      },
    );
    const stats = await cgroupStats(process.cgroupPaths);
    expect(stats.pids).toMatchObject({ current: 2n, limit: 30n, limitHits: 0n });
    expect(stats.cpu!.usage.total).toBeGreaterThan(1_000_000n);
    expect(stats.memory!.usage.limit).toBe(BigInt(64 * MiB));
    expect(stats.memory!.usage.usage).toBeGreaterThan(4096n);
    expect(stats.memory!.usage.max).toBeGreaterThanOrEqual(stats.memory!.usage.usage);
    expect(Object.keys(stats.memory!.raw)).not.toHaveLength(0);
    expect(stats.blkio).toMatchObject({ ioServiceBytesRecursive: expect.any(Array) });
    expect(stats.hugetlb['2MB'] ?? { usage: 0n }).toMatchObject({ usage: 0n });
    expect(stats.cpu!.psi?.some?.avg10 ?? 0).toBeGreaterThanOrEqual(0);
    process.stdin!.end();
  });

  it('updateCgroup raises and lowers limits that depend on each other', async () => {
    await using process = await start('echo ready; read line', (spec) => {
      spec.linux!.resources = {
        ...spec.linux!.resources,
        memory: { limit: 64 * MiB, swap: 64 * MiB },
        cpu: { quota: 50_000, period: 100_000, burst: 10_000 },
      };
    });
    const { cgroupPaths: paths } = process;
    const limitsNow = async (): Promise<unknown[]> => {
      const { memory, pids } = await cgroupStats(paths);
      return [memory!.usage.limit, memory!.swap?.limit, pids!.limit];
    };
    await updateCgroup(paths, {
      memory: { limit: 128 * MiB, swap: 256 * MiB },
      pids: { limit: 50 },
      cpu: { quota: 5000, period: 5000, burst: 0 },
    });
    expect(await limitsNow()).toEqual([BigInt(128 * MiB), BigInt(256 * MiB), 50n]);
    await updateCgroup(paths, { memory: { limit: 32 * MiB, swap: 48 * MiB }, pids: { limit: -1 } });
    expect(await limitsNow()).toEqual([BigInt(32 * MiB), BigInt(48 * MiB), undefined]);
    await updateCgroup(paths, { cpu: { quota: 1_000_000, period: 1_000_000, burst: 500_000 } });
    expect(readFileSync(fileOf(process, 'cpu.cfs_burst_us'), 'utf8')).toBe('500000\n');
    await updateCgroup(paths, { memory: { limit: -1 } });
    expect((await limitsNow())[0]).toBeUndefined();
    await expect(updateCgroup(paths, { cpu: { cpus: '4000' } })).rejects.toMatchObject({
      code: 'ERR_INIT_CGROUP',
      field: 'linux.resources.cpu.cpus',
      errnoCode: 'ERANGE',
    });
    await expect(updateCgroup(paths, { memory: { limit: -7 } })).rejects.toMatchObject({
      code: 'ERR_INIT_INVALID_CONFIG',
      field: 'linux.resources.memory.limit',
    });
    process.stdin!.end();
  });

  it('watchCgroup tells of limits that are met, and ends with the container', async () => {
    const process = await start(
      // A shell that cannot fork ends: another one has to stay, so that nothing is told too late.
      'echo ready; read line; tail /dev/zero; sh -c "sleep 100 & sleep 100 & :"; read line',
      (spec) => {
        spec.linux!.resources = {
          ...spec.linux!.resources,
          memory: { limit: 24 * MiB, swap: 24 * MiB },
          pids: { limit: 3 },
        };
      },
    );
    const seen: CgroupEvent[] = [];
    const watching = (async () => {
      for await (const event of watchCgroup(process.cgroupPaths)) {
        seen.push(event);
        // The counters are read side by side, so that the later may be told first.
        if (['oomKill', 'pidsLimit'].every((type) => seen.some((one) => one.type === type))) break;
      }
    })();
    process.stdin!.write('go\n');
    await watching;
    await killCgroup(process.cgroupPaths);
    await process.exited;
    const counted = Object.fromEntries(seen.map(({ type, count }) => [type, count]));
    expect(counted['oomKill']).toBe(1n);
    expect(counted['pidsLimit']).toBeGreaterThan(0n);
  });

  it('watchCgroup ends when the last process has ended, and when it is told to', async () => {
    const process = await start('echo ready; read line');
    const controller = new AbortController();
    const all = async (signal?: AbortSignal): Promise<CgroupEvent[]> => {
      const seen: CgroupEvent[] = [];
      const options = signal === undefined ? {} : { signal };
      for await (const event of watchCgroup(process.cgroupPaths, options)) seen.push(event);
      return seen;
    };
    const stopped = all(controller.signal);
    const ended = all();
    controller.abort();
    expect(await stopped).toEqual([]);
    process.stdin!.end();
    await process.exited;
    expect(await ended).toEqual([]);
  });
});
