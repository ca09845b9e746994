import { listCgroups, listCgroupTree, parseFlatKeyed, readInterface } from './cgroup-files.ts';

/** How often the kernel enforced a limit since the cgroup was made. */
export type CgroupCounters = {
  /** Processes of the cgroup, or of one below it, that the OOM killer ended. */
  oomKill: bigint;
  /** Forks that failed with EAGAIN because of `pids.max`. */
  pidsLimit: bigint;
};

/**
 * Reads the counters that tell why a process of the cgroup ended: before the cgroup is removed.
 *
 * v2 counts for the whole tree in `memory.events`, and v1 (Linux 4.13) for each cgroup alone in
 * `memory.oom_control`, so that cgroups below are added there. A path that is gone, or whose kernel does
 * not count, adds nothing. `pids.events` is the same in both; before Linux 6.12 the cgroup
 * whose process failed to fork counts it, from then on the one whose limit it was.
 *
 * @param paths what a launch calls its `cgroupPaths`
 */
export async function readCgroupCounters(paths: readonly string[]): Promise<CgroupCounters> {
  const counters: CgroupCounters = { oomKill: 0n, pidsLimit: 0n };
  const add = async (
    counter: keyof CgroupCounters,
    path: string,
    file: string,
    key: string,
  ): Promise<void> => {
    const text = await readInterface(path, file);
    if (text !== undefined) counters[counter] += parseFlatKeyed(text).get(key) ?? 0n;
  };
  const addBelow = async (
    counter: keyof CgroupCounters,
    path: string,
    file: string,
    key: string,
  ): Promise<void> => {
    const tree = await listCgroupTree(path);
    await Promise.all(tree.map((listing) => add(counter, listing.path, file, key)));
  };
  const listings = await listCgroups(paths);
  const readings: Promise<void>[] = [];
  for (const { path, version, files } of listings) {
    if (files.has('memory.events')) {
      readings.push(add('oomKill', path, 'memory.events', 'oom_kill'));
    }
    if (files.has('memory.oom_control')) {
      readings.push(addBelow('oomKill', path, 'memory.oom_control', 'oom_kill'));
    }
    if (files.has('pids.events')) {
      const read = version === 2 ? add : addBelow;
      readings.push(read('pidsLimit', path, 'pids.events', 'max'));
    }
  }
  await Promise.all(readings);
  return counters;
}
