import { listCgroups, listCgroupTree, parsePids, readInterface } from './cgroup-files.ts';

/**
 * The processes in a container's cgroups and in those below, in ascending order, each once.
 *
 * The numbers are those of this process's pid namespace; a process that it cannot see is left out. They are
 * no handles: open a pidfd, and look once more.
 *
 * @param paths what a launch calls its `cgroupPaths`; paths that are gone hold nothing
 */
export async function cgroupProcesses(paths: readonly string[]): Promise<number[]> {
  const pids = new Set<number>();
  await Promise.all(
    paths.map(async (path) => {
      const tree = await listCgroupTree(path);
      await Promise.all(
        tree.map(async (cgroup) => {
          const text = await readProcs(cgroup.path);
          for (const pid of parsePids(text)) pids.add(pid);
        }),
      );
    }),
  );
  return [...pids].toSorted((a, b) => a - b);
}

/** A threaded v2 cgroup answers EOPNOTSUPP: its processes are listed in the cgroup that its tree starts at. */
async function readProcs(path: string): Promise<string> {
  return (await readInterface(path, 'cgroup.procs')) ?? '';
}

/** Whether nothing runs in any of the cgroups and those below. */
export async function areEmpty(paths: readonly string[]): Promise<boolean> {
  const there = await listCgroups(paths);
  return (await cgroupProcesses(there.map(({ path }) => path))).length === 0;
}
