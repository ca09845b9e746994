import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pidfdOpen, waitPidfd } from '@pilotlight/scm-rights';
import { listOpenFds } from '@pilotlight/scm-rights/testing';
import { Actors } from './actors.ts';
import { cgroupsNamed, removeEmptyParents } from './cgroups.ts';
import { Part, type PartPlan, type PartResult } from './part.ts';
import { Random } from './random.ts';
import { complaints, formatReport, summarize } from './report.ts';

/** Enough for every kind of death in every tier. */
export const DEFAULT_PROCESSES = 2000;

const ORPHANS_MS = 30_000;
const CLOSED_MS = 5000;

export interface CampaignResult {
  seed: string;
  parts: PartResult[];
  /** What must not be: lost, wrong, unknown without need, left behind. */
  complaints: string[];
  table: string;
  summary: string;
}

/** The parts and their shares: most processes are in tier A, where nothing is forgiven. */
const shares: readonly (Omit<PartPlan, 'processes'> & { share: number })[] = [
  { name: 'A', tier: 'A', actors: 'supervisors', victims: 'nobody', share: 0.3 },
  { name: 'A, monitor', tier: 'A', actors: 'supervisors', victims: 'both', share: 0.12 },
  { name: 'A, command lines', tier: 'A', actors: 'command lines', victims: 'nobody', share: 0.05 },
  { name: 'B, one of the pair', tier: 'B', actors: 'supervisors', victims: 'one', share: 0.18 },
  { name: 'B, both', tier: 'B', actors: 'supervisors', victims: 'both', share: 0.05 },
  { name: 'C, one of the pair', tier: 'C', actors: 'supervisors', victims: 'one', share: 0.17 },
  { name: 'C, both', tier: 'C', actors: 'supervisors', victims: 'both', share: 0.05 },
  { name: 'D', tier: 'D', actors: 'supervisors', victims: 'nobody', share: 0.08 },
];

/** Parts at the same time. */
const AT_ONCE = 2;

/**
 * Kills supervisors, command lines, monitors and keepers at random instants while they launch, run, end and delete programs,
 * and judges what became of each program. The plan follows from `seed`; the instants are the machine's.
 */
export async function runCampaign(options: {
  seed?: string | undefined;
  processes?: number | undefined;
}): Promise<CampaignResult> {
  const { seed = randomBytes(4).toString('hex'), processes = DEFAULT_PROCESSES } = options;
  const random = new Random(seed);
  // A root on a disk would spend its time on syncing.
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'campaign-'));
  const cgroupName = `campaign-${process.pid}-${statSync(directory).ino}`;
  const started = performance.now();
  await warmUp();
  const before = listOpenFds();
  const parts: PartResult[] = [];
  const left: string[] = [];
  try {
    using actors = new Actors();
    const waiting = shares.map(({ share, ...plan }): PartPlan => ({
      ...plan,
      processes: Math.ceil(processes * share),
    }));
    const work = async (): Promise<void> => {
      for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) {
        const part = new Part(plan, directory, actors, random.derive(plan.name), cgroupName);
        parts.push(await part.run());
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const orphans = await actors.orphansAfter(ORPHANS_MS);
    if (orphans > 0) left.push(`left: ${orphans} children of those that were killed`);
    left.push(...cgroupsNamed(cgroupName).map((path) => `left: the cgroup ${path}`));
  } catch (error) {
    throw new Error(`the campaign with seed ${seed} could not be finished`, { cause: error });
  } finally {
    removeEmptyParents(cgroupName);
    for (const name of readdirSync(directory)) {
      // The roots in it are removed by the store, or are complained of.
      if (!existsSync(join(directory, name, 'root'))) {
        rmSync(join(directory, name), { recursive: true });
      }
    }
    if (readdirSync(directory).length === 0) rmSync(directory, { recursive: true });
  }
  for (const descriptor of await descriptorsBeside(before)) {
    left.push(`left: the descriptor of ${descriptor}`);
  }
  parts.sort((one, other) => nameIndex(one) - nameIndex(other));
  const seconds = (performance.now() - started) / 1000;
  return {
    seed,
    parts,
    complaints: [...complaints(parts), ...left],
    table: formatReport(seed, seconds, parts),
    summary: summarize(seed, seconds, parts),
  };
}

/** Our readiness and Node's inotify and streams of children open descriptors at the first use, and keep them. */
async function warmUp(): Promise<void> {
  using self = pidfdOpen(process.pid);
  await waitPidfd(self, { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  watch('/').close();
  await once(spawn('true', { stdio: ['ignore', 'pipe', 'pipe'] }), 'close');
}

/** Those that Node closes in its own time get some. */
async function descriptorsBeside(before: ReadonlyMap<number, string>): Promise<string[]> {
  const deadline = performance.now() + CLOSED_MS;
  for (;;) {
    const now = [...listOpenFds()];
    // One that was closed and opened again is the same to us.
    const beside = now.filter(([fd, name]) => before.get(fd) !== name).map(([, name]) => name);
    if (now.length <= before.size) return [];
    if (performance.now() > deadline) return beside;
    await sleep(20);
  }
}

function nameIndex({ name }: PartResult): number {
  return shares.findIndex((share) => share.name === name);
}
