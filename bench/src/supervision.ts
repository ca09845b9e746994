/** What it costs to supervise many processes; see `usage`, and docs/performance.md for what the numbers mean. */
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MonitorInfo, openStore, type ProcessStore } from '@pilotlight/process-store';
import { Load } from './load/load.ts';
import { endAtOnce } from './measure/burst.ts';
import { cpuMs } from './measure/cpu.ts';
import { timeEnds } from './measure/ends.ts';
import { memoryOf } from './measure/memory.ts';
import { percentile } from './measure/percentile.ts';
import { killMonitor, untilWatching } from './measure/recovery.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { fetchPackages, ownSearchPath } from './references/find-programs.ts';
import { measureConmon } from './references/measure-conmon.ts';
import { measureShim } from './references/measure-shim.ts';
import type { Reference } from './references/reference.ts';
import { report } from './report.ts';
import type { Results } from './results.ts';

const TMPFS_MAGIC = 0x0102_1994;
/** What was just done may leave work behind, such as a collection of garbage. */
const SETTLE_MS = 2000;

/** In memory, where there is such a place. */
function scratchParent(): string {
  try {
    if (statfsSync('/dev/shm').type === TMPFS_MAGIC) return '/dev/shm';
  } catch {
    // There is none.
  }
  return tmpdir();
}

async function measureSupervision({
  processes,
  tier,
  idleMs,
  ends,
}: Options): Promise<Omit<Results, 'references'>> {
  const root = join(directory, 'root');
  const chosen = tier === undefined ? {} : { tier };
  await using store = await openStore(root, chosen);
  let load: Load | undefined;
  try {
    const before = await store.startMonitor();
    await sleep(SETTLE_MS);
    const empty = memoryOfPair(before);
    const machine = {
      kernelRelease: release(),
      cpus: cpus().length,
      node: process.versions.node,
      loadAverage: loadavg()[0] ?? NaN,
    };
    const sleepers = processes - ends;
    load = await Load.launch({ root, directory, tier, sleepers, timed: ends });
    const launched = await untilWatching(store, processes);
    await sleep(SETTLE_MS);

    const { monitor, keeper } = memoryOfPair(launched);
    const more = monitor.private + keeper.private - empty.monitor.private - empty.keeper.private;
    const fds = {
      monitor: countFds(launched.pid),
      keeper: countFds(launched.keeperPid ?? 0),
    };
    const idleCpu = await measureIdle(launched, idleMs);
    const listMs = await timed(() => store.list());
    const delays = await timeEnds({ root, directory }, ends);
    // Before the burst: what comes then is recorded by the second monitor, as by any other.
    const watched = await untilWatching(store, sleepers);
    const { recoveredMs, monitor: next } = await killMonitor(store, watched, sleepers);
    await sleep(SETTLE_MS);
    const { processes: alive } = await store.list();
    const cpuBeforeMs = cpuMs(next.pid);
    const burst = await endAtOnce(
      root,
      alive.filter(({ state }) => state === 'running'),
    );
    await untilWatching(store, 0);
    const monitorCpuMs = cpuMs(next.pid) - cpuBeforeMs;
    const deleteMs = await timed(() => deleteAll(store));
    return {
      machine,
      processes,
      tier: await store.tier(),
      onTmpfs: statfsSync(directory).type === TMPFS_MAGIC,
      launch: {
        totalMs: load.launchMs,
        eachMs: load.launchMs / processes,
        by: 'a plain gated child',
      },
      memory: { monitor, keeper, empty, perProcess: more / processes },
      fds,
      idleCpu,
      listMs,
      end: {
        count: delays.length,
        p50: percentile(delays, 0.5),
        p95: percentile(delays, 0.95),
        most: percentile(delays, 1),
      },
      recoveryMs: recoveredMs,
      burst: { count: sleepers, ...burst, monitorCpuMs },
      deleteMs,
    };
  } finally {
    await deleteAll(store);
    await load?.[Symbol.asyncDispose]();
  }
}

function memoryOfPair({ pid, keeperPid }: MonitorInfo): Results['memory']['empty'] {
  if (keeperPid === null) throw new Error('the monitor has no keeper');
  return { monitor: memoryOf(pid), keeper: memoryOf(keeperPid) };
}

function countFds(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function measureIdle(
  { pid, keeperPid }: MonitorInfo,
  idleMs: number,
): Promise<Results['idleCpu']> {
  const read = (): number[] => [cpuMs(pid), cpuMs(keeperPid ?? 0)];
  const before = read();
  const startMs = performance.now();
  await sleep(idleMs);
  const overMs = performance.now() - startMs;
  const [monitor, keeper] = read().map((used, index) => (100 * (used - before[index]!)) / overMs);
  return { monitor: monitor!, keeper: keeper!, overMs: Math.round(overMs) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** With whatever is left of a run that failed. */
async function deleteAll(store: ProcessStore): Promise<void> {
  const { processes } = await store.list();
  const left = processes.map(({ key }) => key);
  const deleteSome = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      await store.remove(key, { force: true });
    }
  };
  await Promise.all(Array.from({ length: 8 }, deleteSome));
}

async function measureReferences({ references, fetch }: Options): Promise<Reference[]> {
  if (references === 0) return [];
  const path = [...ownSearchPath(), ...(fetch ? fetchPackages(directory) : [])];
  const measured: Reference[] = [];
  for (const measure of [measureConmon, measureShim]) {
    try {
      measured.push(await measure(path, directory, references));
    } catch (error) {
      // What was measured before is not lost for that.
      const [why] = (error as Error).message.split('\n');
      measured.push({ name: measure.name, skipped: `it failed: ${why}` });
    }
  }
  return measured;
}

let options: Options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${usage}`);
  process.exit(2);
}
const directory = mkdtempSync(join(scratchParent(), 'pilotlight-bench-'));
try {
  const supervision = await measureSupervision(options);
  const references = await measureReferences(options);
  const results: Results = { ...supervision, references };
  process.stdout.write(report(results));
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
