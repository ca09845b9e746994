import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path/posix';
import { CgroupError } from '../errors.ts';
import { writeControl } from './apply-writes.ts';

/**
 * Hands v2 controllers down from the mount point to a cgroup: into `cgroup.subtree_control` of each cgroup
 * above it, from the top, because a cgroup can pass on only what it was given; cgroups(7).
 *
 * @param controllers only what is needed: each one costs every process below some accounting
 * @throws CgroupError naming the cgroup that does not have a controller, or may not pass it on
 */
export async function enableControllers(
  path: string,
  mountpoint: string,
  controllers: readonly string[],
): Promise<void> {
  if (controllers.length === 0 || path === mountpoint) return;
  for (const above of cgroupsAbove(path, mountpoint)) {
    const file = join(above, 'cgroup.subtree_control');
    try {
      const enabled = (await readFile(file, 'utf8')).split(/\s+/);
      const lacking = controllers.filter((controller) => !enabled.includes(controller));
      if (lacking.length > 0) await writeControl(file, lacking.map((name) => `+${name}`).join(' '));
    } catch (cause) {
      throw await failure(above, file, controllers, cause);
    }
  }
}

function cgroupsAbove(path: string, mountpoint: string): string[] {
  const above = dirname(path);
  if (above === mountpoint || above === '/') return [above];
  return [...cgroupsAbove(above, mountpoint), above];
}

async function failure(
  above: string,
  file: string,
  controllers: readonly string[],
  cause: unknown,
): Promise<CgroupError> {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  const text = await readFile(join(above, 'cgroup.controllers'), 'utf8').catch(() => '');
  const available = text.split(/\s+/);
  const missing = controllers.filter((controller) => !available.includes(controller));
  return new CgroupError({
    path: file,
    message: `enable ${(code === 'ENOENT' && missing.length > 0 ? missing : controllers).join(', ')} below ${above}: ${code ?? String(cause)}`,
    syscall: syscall ?? 'write',
    cause,
    hint: hintFor(above, code),
  });
}

function hintFor(above: string, code: string | undefined): string {
  switch (code) {
    case 'EBUSY':
      return `A v2 cgroup either holds processes or hands controllers down: move the processes of ${above} into a cgroup below it, or choose a linux.cgroupsPath elsewhere.`;
    case 'ENOENT':
      return `The cgroup above ${above} does not hand it down; a delegated cgroup gets it with systemd's Delegate=.`;
    case 'EOPNOTSUPP':
      return `${above} is threaded: memory, io and other controllers of whole processes end there.`;
    default:
      return 'Launch as root, or choose a linux.cgroupsPath that is delegated to this user.';
  }
}
