import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSyscallError, type OwnedFd, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';

const rounds = 50;

/**
 * Kills every process in these cgroups and below them, and those that they fork meanwhile: by
 * `cgroup.kill` (v2, Linux 5.14), else one by one until none is left. A cgroup that is gone is no
 * error. It gives up after some seconds with a process that does not die; `removeCgroup` tells.
 */
export async function killCgroup(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => killAtOnce(path)));
  for (let round = 0; round < rounds; round++) {
    const found = await processesOf(paths);
    if (found.size === 0) return;
    await killEach(found, paths);
    await sleep(2 * round);
  }
}

async function killAtOnce(path: string): Promise<void> {
  // Never made where the kernel has none: no file can be made in a cgroup.
  await writeFile(join(path, 'cgroup.kill'), '1', { flag: 'r+' }).catch(() => undefined);
}

async function killEach(pids: ReadonlySet<number>, paths: readonly string[]): Promise<void> {
  const held: [pid: number, pidfd: OwnedFd][] = [];
  try {
    for (const pid of pids) {
      const pidfd = openIfThere(pid);
      if (pidfd !== undefined) held.push([pid, pidfd]);
    }
    // Once its pidfd is held a pid cannot be another process's: who is still listed is meant.
    const still = await processesOf(paths);
    for (const [pid, pidfd] of held) if (still.has(pid)) kill(pidfd);
  } finally {
    for (const [, pidfd] of held) pidfd.close();
  }
}

function openIfThere(pid: number): OwnedFd | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function kill(pidfd: OwnedFd): void {
  try {
    pidfdSendSignal(pidfd, 'SIGKILL');
  } catch (error) {
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}

async function processesOf(paths: readonly string[]): Promise<Set<number>> {
  const lists = await Promise.all(paths.map((path) => processesBelow(path)));
  return new Set(lists.flat());
}

async function processesBelow(path: string): Promise<number[]> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const inner = entries.filter((entry) => entry.isDirectory());
  const below = await Promise.all(inner.map(({ name }) => processesBelow(join(path, name))));
  // 0 stands for a process that this pid namespace does not see.
  return [...text.split('\n').map(Number), ...below.flat()].filter((pid) => pid > 0);
}
