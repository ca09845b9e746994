import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { isSyscallError, type OwnedFd, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';
import { errnoCode } from '../errors.ts';
import type { SpecRecord } from '../record/spec-record.ts';

/** Removes cgroups whose processes are gone; returns the paths that are still in use. */
export async function removeCgroups(paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  const { removeCgroup } = await import('@pilotlight/init');
  return removeCgroup(paths);
}

/** The cgroups that a launch of this specification would have made, for one that ended before it recorded them. */
export async function plannedCgroups(record: SpecRecord): Promise<readonly string[]> {
  const { id, container, spec, bundle } = record;
  // What is executed in a container only enters its cgroup.
  if (container !== undefined) return [];
  const { planLaunch, validateSpec } = await import('@pilotlight/init');
  try {
    const { cgroup } = planLaunch({ id, spec: validateSpec(spec), bundle });
    return cgroup?.directories.map(({ path }) => path) ?? [];
  } catch (error) {
    // It would have been refused before anything was made.
    if (errnoCode(error)?.startsWith('ERR_INIT_') === true) return [];
    throw error;
  }
}

/** Lets frozen processes run, which take no signals; cgroups(7), freezer. Does nothing where nothing is frozen. */
export async function thawCgroups(paths: readonly string[]): Promise<void> {
  await Promise.all(
    paths.flatMap((path) => [
      writeIfThere(join(path, 'cgroup.freeze'), '0'),
      writeIfThere(join(path, 'freezer.state'), 'THAWED'),
    ]),
  );
}

/** Kills every process in these cgroups, each through a pidfd. Processes forked meanwhile may be missed: repeat. */
export async function killCgroups(paths: readonly string[]): Promise<void> {
  for (const path of paths) await killMembers(path);
}

async function killMembers(path: string): Promise<void> {
  for (const pid of await memberPids(path)) {
    using pidfd = openMember(pid);
    if (pidfd === undefined) continue;
    // Asked again with the pidfd open: a member now is the process we hold, not one that came to its number.
    if ((await memberPids(path)).includes(pid)) killMember(pidfd);
  }
}

async function memberPids(path: string): Promise<number[]> {
  try {
    const text = await readFile(join(path, 'cgroup.procs'), 'utf8');
    // 0 stands for a process of another pid namespace, which has no number here.
    return text
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ENODEV') return [];
    throw error;
  }
}

function openMember(pid: number): OwnedFd | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function killMember(pidfd: OwnedFd): void {
  try {
    pidfdSendSignal(pidfd, 'SIGKILL');
  } catch (error) {
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}

async function writeIfThere(path: string, text: string): Promise<void> {
  try {
    // Without O_CREAT: a cgroup file is there or it is not.
    await writeFile(path, text, { flag: 'r+' });
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT' && errnoCode(error) !== 'ENODEV') throw error;
  }
}
