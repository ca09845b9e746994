import { readFile } from 'node:fs/promises';
import { join } from 'node:path/posix';

/** How often limits of a cgroup were hit, from its making on. */
export type CgroupCounters = {
  /** Processes that the kernel killed for want of memory. */
  oomKill: bigint;
  /** Forks that failed because the cgroup, or one above it, had its highest number of processes. */
  pidsLimit: bigint;
};

const files = [
  // Version 2, then version 1 (Linux 4.13).
  { name: 'memory.events', counter: 'oomKill', line: /^oom_kill (\d+)$/m },
  { name: 'memory.oom_control', counter: 'oomKill', line: /^oom_kill (\d+)$/m },
  // The same in both.
  { name: 'pids.events', counter: 'pidsLimit', line: /^max (\d+)$/m },
] as const;

/**
 * Reads the counters of one container: the directories of its cgroup in all hierarchies. What no
 * directory counts is 0. Must come before the cgroup is removed.
 *
 * Source: the kernel's cgroup-v2 documentation, `memory.events` and `pids.events`.
 */
export async function readCgroupCounters(paths: readonly string[]): Promise<CgroupCounters> {
  const counters: CgroupCounters = { oomKill: 0n, pidsLimit: 0n };
  await Promise.all(
    paths.flatMap((path) =>
      files.map(async ({ name, counter, line }) => {
        const count = line.exec(await contents(join(path, name)))?.[1];
        if (count !== undefined) counters[counter] += BigInt(count);
      }),
    ),
  );
  return counters;
}

/** A file that is not there, or not ours to read, tells nothing. */
const contents = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
