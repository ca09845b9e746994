import { join } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupError } from '../errors.ts';
import { writeControl } from './apply-writes.ts';
import {
  type CgroupListing,
  isGone,
  listCgroups,
  parseFlatKeyed,
  readInterface,
} from './cgroup-files.ts';

export type FreezeOptions = {
  /** How long processes may take to stop, in milliseconds. Default 10 000. */
  timeoutMs?: number;
};

/**
 * Stops all processes of a container's cgroups, and of those below, where they are; resolves once all are stopped.
 *
 * By the freezer of cgroup v1 where one is mounted, as runc does on a hybrid host, else by `cgroup.freeze` of v2
 * (Linux 5.2). A process that waits in the kernel without being interruptible can hold it up.
 *
 * @param paths what a launch calls its `cgroupPaths`
 * @throws CgroupError when not all stop in time, when it was thawed again; when there is no cgroup that can be frozen
 */
export async function freezeCgroup(
  paths: readonly string[],
  { timeoutMs = 10_000 }: FreezeOptions = {},
): Promise<void> {
  const cgroup = await findFreezer(paths);
  const deadline = performance.now() + timeoutMs;
  await (cgroup.files.has('freezer.state') ? freezeV1 : freezeV2)(cgroup.path, deadline);
}

/** Lets the processes of frozen cgroups go on; no error when they run. @throws CgroupError as freezeCgroup */
export async function thawCgroup(paths: readonly string[]): Promise<void> {
  const cgroup = await findFreezer(paths);
  const isV1 = cgroup.files.has('freezer.state');
  await write(cgroup.path, isV1 ? 'freezer.state' : 'cgroup.freeze', isV1 ? 'THAWED' : '0');
}

async function findFreezer(paths: readonly string[]): Promise<CgroupListing> {
  const cgroups = await listCgroups(paths);
  const found =
    cgroups.find(({ files }) => files.has('freezer.state')) ??
    cgroups.find(({ files }) => files.has('cgroup.freeze'));
  if (found !== undefined) return found;
  throw new CgroupError({
    path: paths[0] ?? '',
    message: `freeze ${paths.join(', ')}: none of them is a cgroup that can be frozen`,
    hint: 'It takes the freezer of cgroup v1, or a cgroup of v2 that is not the root, on Linux 5.2 or newer.',
  });
}

/**
 * A process that forks while the freezer passes can leave it in FREEZING for good: then it is thawed for
 * a moment and tried again; Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst.
 */
async function freezeV1(path: string, deadline: number): Promise<void> {
  for (let round = 1; ; round++) {
    await write(path, 'freezer.state', 'FROZEN');
    const state = await readInterface(path, 'freezer.state');
    if (state === 'FROZEN') return;
    if (state === undefined) throw gone(path);
    if (performance.now() > deadline) throw await giveUp(path, 'freezer.state', 'THAWED');
    if (round % 10 === 0) await write(path, 'freezer.state', 'THAWED');
    await sleep(Math.min(round, 20));
  }
}

async function freezeV2(path: string, deadline: number): Promise<void> {
  await write(path, 'cgroup.freeze', '1');
  for (let round = 1; ; round++) {
    const events = await readInterface(path, 'cgroup.events');
    if (events === undefined) throw gone(path);
    if (parseFlatKeyed(events).get('frozen') === 1n) return;
    if (performance.now() > deadline) throw await giveUp(path, 'cgroup.freeze', '0');
    await sleep(Math.min(round, 20));
  }
}

async function giveUp(path: string, file: string, thawed: string): Promise<CgroupError> {
  await write(path, file, thawed);
  return new CgroupError({
    path: join(path, file),
    message: `freeze ${path}: not all of its processes stopped in time; they run again`,
    hint: 'A process that waits for a device or a network file system cannot be frozen; allow a longer timeoutMs.',
  });
}

const gone = (path: string): CgroupError =>
  new CgroupError({ path, message: `freeze ${path}: the cgroup is gone` });

async function write(path: string, file: string, text: string): Promise<void> {
  try {
    await writeControl(join(path, file), text);
  } catch (cause) {
    if (isGone(cause)) throw gone(path);
    const { code } = cause as NodeJS.ErrnoException;
    throw new CgroupError({
      path: join(path, file),
      message: `write ${text} to ${join(path, file)}: ${code}`,
      syscall: 'write',
      cause,
      hint: 'Only root, or the user to whom the cgroup is delegated, can freeze it.',
    });
  }
}
