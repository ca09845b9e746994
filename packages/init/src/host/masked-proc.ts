import { mounts, type Probe } from './host-failure.ts';
import type { Host } from './host.ts';

/**
 * The kernel refuses a new proc or sysfs to a user namespace where parts of the one that is seen are
 * covered by other mounts, because the new one would show them (mount_namespaces(7), locked mounts).
 */
export const maskedProc: Probe = (failure, host) => {
  const { errnoCode, message, path, newUserNamespace } = failure;
  if (errnoCode !== 'EPERM' || !mounts(failure)) return undefined;
  const kind = [path, message].some((text) => /\bproc\b/.test(text ?? '')) ? 'proc' : undefined;
  if (kind === undefined) return undefined;
  if (newUserNamespace !== true && !isInUserNamespace(host)) return undefined;
  const covered = mountsBelow(host, '/proc/');
  if (covered.length === 0) return undefined;
  const some = covered.slice(0, 3).join(', ');
  return `Parts of /proc are covered here (${some}), as in a container, so a user namespace gets no proc of its own: bind /proc instead, or start the container around this process with nothing masked (for Docker --security-opt systempaths=unconfined).`;
};

/** The initial user namespace maps every id on itself; user_namespaces(7). */
function isInUserNamespace(host: Host): boolean {
  const map = host.read('/proc/self/uid_map')?.trim().split(/\s+/);
  return map !== undefined && map.join(' ') !== '0 0 4294967295';
}

function mountsBelow(host: Host, directory: string): string[] {
  return (
    (host.read('/proc/self/mountinfo') ?? '')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((mountpoint) => mountpoint.startsWith(directory))
      // It lies on a directory that is always empty, and so hides nothing.
      .filter((mountpoint) => mountpoint !== '/proc/sys/fs/binfmt_misc')
  );
}
