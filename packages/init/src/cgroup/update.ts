import { join } from 'node:path/posix';
import { resourcesSchema } from '../config/schema/resources.ts';
import type { OciResources } from '../config/spec/resources.ts';
import { CgroupError, InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import { applyWrites } from './apply-writes.ts';
import { readInterface } from './cgroup-files.ts';
import { isGiven } from './cgroup-write.ts';
import { planDeviceRules } from './device-rules.ts';
import { writeDeviceRules } from './devices-v1.ts';
import { enableControllers } from './enable-controllers.ts';
import { type Hierarchy, readHierarchies } from './hierarchies.ts';
import { readControllers } from './plan-cgroup.ts';
import { knownResources, planResources } from './plan-resources.ts';
import type { CurrentLimits } from './plan-v2.ts';

/**
 * Changes the limits of a container that runs: what `resources` names, and nothing else.
 *
 * Memory and swap, quota and period may be raised or lowered in any combination; they are written in the
 * order that the kernel takes. When one is refused, those that were written before it stay.
 * `memory.checkBeforeUpdate` refuses a memory limit below what is in use before anything is written; without
 * it v2 reclaims, and may kill, down to the limit.
 *
 * @param paths what a launch calls its `cgroupPaths`
 * @throws InvalidConfigError, UnsupportedConfigError as a launch, before anything is written
 * @throws CgroupError naming the field that the kernel refused
 */
export async function updateCgroup(
  paths: readonly string[],
  resources: OciResources,
  hierarchies: readonly Hierarchy[] = readHierarchies(),
): Promise<void> {
  const wanted = validate(resources);
  const directories = paths.map((path) => ({ path, ...hierarchyOf(path, hierarchies) }));
  const unified = directories.find(({ version }) => version === 2);
  const current = unified === undefined ? {} : await readCurrent(unified.path, wanted);
  const plans = planResources(
    wanted,
    directories,
    () => (unified === undefined ? [] : readControllers(unified.mountpoint)),
    current,
  );
  if (unified !== undefined) await requireRoom(unified.path, wanted);
  const rules = wanted.devices ?? [];
  const devices = directories.find(({ controllers }) => controllers.split(',').includes('devices'));
  if (rules.length > 0 && devices === undefined) {
    throw new UnsupportedConfigError(
      'linux.resources.devices',
      'the device program of a running v2 cgroup cannot be exchanged',
    );
  }
  for (const [index, { enable, writes }] of plans.entries()) {
    const { path, mountpoint } = directories[index]!;
    await enableControllers(path, mountpoint, enable);
    await applyWrites(path, writes);
  }
  if (rules.length > 0 && devices !== undefined) {
    await writeDeviceRules(devices.path, planDeviceRules(rules));
  }
}

function validate(resources: OciResources): OciResources {
  const result = resourcesSchema.safeParse(resources);
  if (!result.success) {
    const [issue] = result.error.issues;
    const field = `linux.resources.${(issue?.path ?? []).join('.')}`;
    throw new InvalidConfigError(field, `${field}: ${issue?.message ?? 'is not valid'}`, {
      cause: result.error,
      hint: 'Correct the field as the OCI runtime specification has it.',
    });
  }
  const unknown = Object.keys(result.data).find((name) => !knownResources.includes(name));
  if (unknown === undefined) return result.data;
  throw new UnsupportedConfigError(`linux.resources.${unknown}`, 'it is not known to this version');
}

function hierarchyOf(path: string, hierarchies: readonly Hierarchy[]): Hierarchy {
  const [found] = hierarchies
    .filter(({ mountpoint }) => path === mountpoint || path.startsWith(`${mountpoint}/`))
    .toSorted((a, b) => b.mountpoint.length - a.mountpoint.length);
  if (found !== undefined) return found;
  throw new CgroupError({
    path,
    message: `update ${path}: it is in no cgroup hierarchy that is mounted here`,
    hint: 'Give the cgroupPaths of the launch, in the mount namespace that launched.',
  });
}

async function readCurrent(path: string, { memory, cpu }: OciResources): Promise<CurrentLimits> {
  return {
    memoryMax: memory ? await readInterface(path, 'memory.max') : undefined,
    cpuMax: cpu ? await readInterface(path, 'cpu.max') : undefined,
  };
}

/** v1 refuses by itself; on v2 somebody has to look. */
async function requireRoom(path: string, { memory }: OciResources): Promise<void> {
  const limit = memory?.limit;
  if (memory?.checkBeforeUpdate !== true || !isGiven(limit) || limit < 0) return;
  const inUse = await readInterface(path, 'memory.current');
  if (inUse === undefined || BigInt(inUse) <= BigInt(limit)) return;
  throw new CgroupError({
    field: 'linux.resources.memory.limit',
    path: join(path, 'memory.max'),
    message: `set linux.resources.memory.limit: ${inUse} bytes are in use, more than ${limit}`,
    hint: 'Allow more, or leave checkBeforeUpdate away to have the kernel reclaim or kill.',
  });
}
