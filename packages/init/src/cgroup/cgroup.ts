import { constants } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSyscallError, openFd } from '@pilotlight/scm-rights';
import { causedBy, CgroupError, LaunchError } from '../errors.ts';
import { attachDeviceProgram, loadDeviceProgram } from '../syscall/bpf.ts';
import { allDone } from './all-done.ts';
import { applyWrites } from './apply-writes.ts';
import { compileDeviceProgram } from './device-program.ts';
import type { DeviceRule } from './device-rules.ts';
import { writeDeviceRules } from './devices-v1.ts';
import { enableControllers } from './enable-controllers.ts';
import type { CgroupDirectory, CgroupPlan } from './plan-cgroup.ts';
import { cgroupProcesses } from './processes.ts';

/**
 * Makes the directories and sets what must hold before the first process enters. systemd makes
 * a scope only around a process: then there is nothing to do until startScopeOf.
 *
 * @returns the directories that were not there before
 * @throws LaunchError with step `cgroup`; directories made until then are removed
 */
export async function createCgroup(plan: CgroupPlan): Promise<string[]> {
  if (plan.scope !== undefined) return [];
  const made: string[] = [];
  try {
    await allDone(plan.directories.map((directory) => createDirectory(directory, plan, made)));
  } catch (error) {
    await removeCgroup(made);
    throw error;
  }
  return made;
}

/**
 * As createCgroup; but a rootless launch goes on without, as under runc, where the user may make no
 * cgroup and the configuration can do without one. So does the root of a user namespace, who owns no
 * cgroup of the host either.
 *
 * @returns as createCgroup; `undefined` when there is none, and nothing is to be entered or removed
 * @throws LaunchError with step `cgroup`
 */
export async function createCgroupIfAllowed(
  plan: CgroupPlan,
  rootless = true,
): Promise<string[] | undefined> {
  try {
    return await createCgroup(plan);
  } catch (error) {
    const code = error instanceof LaunchError ? error.errnoCode : undefined;
    const notAllowed = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    const isOptional = plan.optional && notAllowed && (rootless || (await isInUserNamespace()));
    if (isOptional) return undefined;
    throw error;
  }
}

/** The initial one maps every id on itself; user_namespaces(7). */
async function isInUserNamespace(): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8').catch(() => '');
  return map !== '' && map.trim().split(/\s+/).join(' ') !== '0 0 4294967295';
}

async function createDirectory(
  directory: CgroupDirectory,
  plan: CgroupPlan,
  made: string[],
): Promise<void> {
  const { path, version, controllers } = directory;
  const first = await step('mkdir', path, () => mkdir(path, { recursive: true }));
  if (first !== undefined) made.push(path);
  if (await step('read', path, () => holdsProcesses(path, first === undefined))) {
    throw new LaunchError({
      step: 'cgroup',
      message: `use cgroup ${path}: it already holds processes`,
      path,
      hint: 'Choose another linux.cgroupsPath or id, or end what still runs in that cgroup.',
    });
  }
  if (version === 1 && controllers.split(',').includes('cpuset')) await inheritCpuset(directory);
  await restrict(directory, plan);
}

/** Also further down where it was there before: whoever kills or removes the container's does so with all below. */
async function holdsProcesses(path: string, wasThere: boolean): Promise<boolean> {
  // Of a process that is not visible from here the kernel lists a 0.
  const members = await readFile(join(path, 'cgroup.procs'), 'utf8');
  return members !== '' || (wasThere && (await cgroupProcesses([path])).length > 0);
}

/** What the configuration asks of one directory. */
async function restrict(directory: CgroupDirectory, plan: CgroupPlan): Promise<void> {
  const { path, mountpoint, enable, writes } = directory;
  if (enable.length > 0) {
    await step('write', path, () => enableControllers(path, mountpoint, enable));
  }
  if (writes.length > 0) await step('write', path, () => applyWrites(path, writes));
  if (plan.deviceRules !== undefined) await restrictDevices(directory, plan, plan.deviceRules);
}

/** By the device controller where there is one, which is v1; else by a program on the v2 cgroup. */
async function restrictDevices(
  { path, version, controllers }: CgroupDirectory,
  plan: CgroupPlan,
  rules: readonly DeviceRule[],
): Promise<void> {
  const hasDevices = (text: string): boolean => text.split(',').includes('devices');
  if (version === 1) {
    if (hasDevices(controllers)) await step('write', path, () => writeDeviceRules(path, rules));
  } else if (!plan.directories.some((directory) => hasDevices(directory.controllers))) {
    await step('bpf', path, async () => {
      using program = loadDeviceProgram(compileDeviceProgram(rules));
      using cgroup = openFd(path, constants.O_RDONLY | constants.O_DIRECTORY);
      attachDeviceProgram(program, cgroup, path);
    });
  }
}

/** A new v1 cpuset is empty and refuses every process: each level takes its parent's CPUs and nodes. */
async function inheritCpuset({
  path,
  mountpoint,
}: Pick<CgroupDirectory, 'path' | 'mountpoint'>): Promise<void> {
  if (path === mountpoint) return;
  await inheritCpuset({ path: dirname(path), mountpoint });
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const file = join(path, name);
    await step('write', file, async () => {
      const own = await readFile(file, 'utf8');
      if (own.trim() === '')
        await writeFile(file, await readFile(join(dirname(path), name), 'utf8'));
    });
  }
}

/** Moves a process into every directory of the plan. @throws LaunchError with step `cgroup` */
export async function enterCgroup(plan: CgroupPlan, pid: number): Promise<void> {
  const enter = plan.scope === undefined ? enterDirectory : enterDirectoryOfScope;
  await allDone(plan.directories.map((directory) => enter(directory, pid, plan)));
}

async function enterDirectory({ path }: CgroupDirectory, pid: number): Promise<void> {
  const file = join(path, 'cgroup.procs');
  await step('write', file, () => writeFile(file, String(pid)));
}

/** The hierarchies of v1 that systemd does not use, and the limits that it has no word for, are not its own. */
async function enterDirectoryOfScope(
  directory: CgroupDirectory,
  pid: number,
  plan: CgroupPlan,
): Promise<void> {
  const { path, version, controllers } = directory;
  await step('mkdir', path, () => mkdir(path, { recursive: true }));
  if (version === 1 && controllers.split(',').includes('cpuset')) await inheritCpuset(directory);
  await restrict(directory, plan);
  await enterDirectory(directory, pid);
}

/**
 * Has systemd make the scope of a plan around a process, which it moves in its own hierarchy and those that
 * it uses; enterCgroup does the rest. Once this resolves there is something for releaseCgroup, and not before: a scope of
 * the same name may be somebody else's.
 *
 * @throws LaunchError with step `cgroup`
 */
export async function startScopeOf(
  { scope, directories: [first] }: CgroupPlan,
  pid: number,
): Promise<void> {
  if (scope === undefined) return;
  // Loaded for those who ask for it.
  const { startScope, stopScope } = await import('./systemd/scope.ts');
  const group = await step('StartTransientUnit', scope.unit, () => startScope(scope, pid));
  if (first === undefined || first.path.endsWith(group)) return;
  await stopScope(scope).catch(() => undefined);
  throw new LaunchError({
    step: 'cgroup',
    message: `use ${scope.unit}: systemd put it into ${group}, and ${first.path} was expected`,
    path: first.path,
    hint: 'Launch from a process of the same service manager, or with the cgroupfs driver.',
  });
}

/**
 * Gives back what createCgroup and enterCgroup made, once the processes are gone.
 *
 * @returns the paths that are still in use
 */
export async function releaseCgroup(plan: CgroupPlan): Promise<string[]> {
  await stopScopeOf(plan);
  return removeCgroup(plan.directories.map(({ path }) => path));
}

/** A scope ends by itself soon after its last process: a bus that does not answer now costs nothing. */
export async function stopScopeOf({ scope }: CgroupPlan): Promise<void> {
  if (scope === undefined) return;
  const { stopScope } = await import('./systemd/scope.ts');
  await stopScope(scope).catch(() => undefined);
}

const removalAttempts = 20;

/**
 * Removes cgroup directories whose processes are gone, with those that their processes made in
 * them. What is already gone is no error.
 *
 * A process leaves its cgroup a moment after its end is visible, so EBUSY is tried again for up
 * to about a second.
 *
 * @returns the paths that are still in use
 */
export async function removeCgroup(paths: readonly string[]): Promise<string[]> {
  const busy = await Promise.all(paths.map((path) => removeDirectory(path)));
  return paths.filter((_, index) => busy[index]);
}

async function removeDirectory(path: string): Promise<boolean> {
  for (let attempt = 0; attempt < removalAttempts; attempt++) {
    try {
      await rmdir(path);
      return false;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return false;
      if (code !== 'EBUSY') return true;
      await removeInner(path);
      await sleep(5 * (attempt + 1));
    }
  }
  return true;
}

async function removeInner(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const inner = entries.filter((entry) => entry.isDirectory());
  await Promise.all(inner.map(({ name }) => removeDirectory(join(path, name))));
}

async function step<T>(syscall: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof CgroupError) throw asLaunchError(cause);
    const { code } = cause as NodeJS.ErrnoException;
    throw new LaunchError({
      step: 'cgroup',
      message: isSyscallError(cause)
        ? `restrict the devices of ${path}: ${cause.message}`
        : `${syscall} ${path}: ${code ?? String(cause)}`,
      ...causedBy(cause),
      syscall,
      path,
      hint: hintFor(cause, code),
    });
  }
}

function asLaunchError(cause: CgroupError): LaunchError {
  const { message, path, syscall, errno, errnoCode, hint } = cause;
  return new LaunchError({
    step: 'cgroup',
    message,
    path,
    ...(syscall === undefined ? {} : { syscall }),
    ...(errno === undefined ? {} : { errno }),
    ...(errnoCode === undefined ? {} : { errnoCode }),
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function hintFor(cause: unknown, code: string | undefined): string {
  if (isSyscallError(cause) && cause.hint !== undefined) return cause.hint;
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
    ? 'Launch as root, or choose a linux.cgroupsPath that is delegated to this user.'
    : 'Check that the cgroup file system is mounted and that linux.cgroupsPath fits it; see cgroups(7).';
}
