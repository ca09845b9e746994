import { join } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSyscallError, type OwnedFd, pidfdOpen } from '@pilotlight/scm-rights';
import { signalProcess } from '../end/signal-process.ts';
import { CgroupError } from '../errors.ts';
import { writeControl } from './apply-writes.ts';
import { isGone, listCgroups } from './cgroup-files.ts';
import { freezeCgroup, thawCgroup } from './freeze.ts';
import { areEmpty, cgroupProcesses } from './processes.ts';

export type KillOptions = {
  /** How long it may take until nothing is left, in milliseconds. Default 10 000. */
  timeoutMs?: number;
};

/**
 * Kills all processes of a container's cgroups and of those below, frozen ones too; resolves once none is left.
 *
 * On v2 by `cgroup.kill` (Linux 5.14), which no fork escapes. On v1, and for what is only there: frozen, so that
 * nothing forks meanwhile; killed one by one, each by a pidfd that was opened while the process was still listed, so that a number
 * that is used again hits nobody else; thawed, and looked at again.
 *
 * @param paths what a launch calls its `cgroupPaths`; those that are gone hold nothing
 * @throws CgroupError when processes are left in the end
 */
export async function killCgroup(
  paths: readonly string[],
  { timeoutMs = 10_000 }: KillOptions = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const cgroups = await listCgroups(paths);
  const there = cgroups.map(({ path }) => path);
  const canFreeze = cgroups.some(
    ({ files }) => files.has('freezer.state') || files.has('cgroup.freeze'),
  );
  await Promise.all(
    cgroups
      .filter(({ files }) => files.has('cgroup.kill'))
      .map(({ path }) => killByKernel(join(path, 'cgroup.kill'))),
  );
  // What v1 has frozen dies when it is thawed.
  const isFrozenByV1 = cgroups.some(({ files }) => files.has('freezer.state'));
  if (isFrozenByV1) await thaw(there);
  for (let round = 0; !(await areEmpty(there)); round++) {
    if (performance.now() > deadline) throw await survivors(there);
    // A moment for those that are dying already.
    if (round > 0 || !cgroups.some(({ files }) => files.has('cgroup.kill'))) {
      await killOneByOne(there, canFreeze, Math.max(1, deadline - performance.now()));
    }
    await sleep(Math.min(1 + round, 20));
  }
}

async function killByKernel(file: string): Promise<void> {
  try {
    await writeControl(file, '1');
  } catch (cause) {
    if (isGone(cause)) return;
    const { code } = cause as NodeJS.ErrnoException;
    // A threaded cgroup cannot be killed this way.
    if (code === 'EOPNOTSUPP') return;
    throw new CgroupError({
      path: file,
      message: `write 1 to ${file}: ${code}`,
      syscall: 'write',
      cause,
      hint: 'Only root, or the user to whom the cgroup is delegated, can do that.',
    });
  }
}

async function killOneByOne(
  paths: readonly string[],
  canFreeze: boolean,
  timeoutMs: number,
): Promise<void> {
  if (canFreeze) {
    // One that cannot be frozen can be killed nevertheless.
    await freezeCgroup(paths, { timeoutMs: Math.min(timeoutMs, 500) }).catch(() => undefined);
  }
  const held: [pid: number, pidfd: OwnedFd][] = [];
  try {
    for (const pid of await cgroupProcesses(paths)) {
      try {
        held.push([pid, pidfdOpen(pid)]);
      } catch (error) {
        if (!isSyscallError(error, 'ESRCH')) throw error;
      }
    }
    // What is still listed now is the process that the pidfd was opened for.
    const listed = new Set(await cgroupProcesses(paths));
    for (const [pid, pidfd] of held) {
      if (listed.has(pid)) signalProcess(pidfd, 'SIGKILL');
    }
  } finally {
    for (const [, pidfd] of held) pidfd.close();
    if (canFreeze) await thaw(paths);
  }
}

async function thaw(paths: readonly string[]): Promise<void> {
  try {
    await thawCgroup(paths);
  } catch (error) {
    const [left] = await listCgroups(paths);
    if (left !== undefined) throw error;
  }
}

async function survivors(paths: readonly string[]): Promise<CgroupError> {
  const pids = await cgroupProcesses(paths);
  return new CgroupError({
    path: paths[0] ?? '',
    message: `kill all in ${paths[0]}: ${pids.length} processes are left: ${pids.slice(0, 10).join(', ')}`,
    hint: 'They wait in the kernel, for a device or a network file system.',
  });
}
