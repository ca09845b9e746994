import type { Probe } from './host-failure.ts';
import type { Host } from './host.ts';

/** Cgroups that cannot be written, or are of both versions at once. */
export const cgroupMounts: Probe = ({ step, errnoCode, path }, host) => {
  if (!step.includes('cgroup') || errnoCode === undefined) return undefined;
  if (errnoCode === 'EROFS') {
    const place = readonlyMount(host, path ?? '') ?? '/sys/fs/cgroup';
    return `The cgroup file system is mounted read-only at ${place}, as in a container: mount it writable (for Docker --privileged, or --cgroupns=private with a writable bind), or remove what needs a cgroup from the configuration.`;
  }
  if (!['ENOENT', 'EOPNOTSUPP', 'EINVAL', 'EBUSY'].includes(errnoCode)) return undefined;
  const mountinfo = host.read('/proc/self/mountinfo') ?? '';
  // Such as the socket of a service manager that does not run.
  if (path !== undefined && !isInCgroups(mountinfo, path)) return undefined;
  if (!/ - cgroup2 /.test(mountinfo)) return undefined;
  // The super block's options name the controllers of a v1 hierarchy.
  const controllers = [...mountinfo.matchAll(/ - cgroup \S+ (\S+)/g)].flatMap(([, options = '']) =>
    options.split(',').filter((option) => option !== 'rw' && option !== 'ro'),
  );
  if (controllers.length === 0) return undefined;
  const names = controllers.join(', ');
  return `This host has hybrid cgroups: ${names} are in hierarchies of version 1, so version 2 has none of them. Boot with systemd.unified_cgroup_hierarchy=1 for version 2 alone, or configure what version 1 has.`;
};

function isInCgroups(mountinfo: string, path: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const mountpoint = line.split(' ')[4];
    return / - cgroup2? /.test(line) && path.startsWith(`${mountpoint}/`);
  });
}

function readonlyMount(host: Host, path: string): string | undefined {
  const places = (host.read('/proc/self/mountinfo') ?? '').split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [mountpoint, options] = [fields[4], fields[5]];
    const isCgroup = / - cgroup2? /.test(line);
    return isCgroup && options?.split(',').includes('ro') === true ? [mountpoint ?? ''] : [];
  });
  return places.find((place) => path.startsWith(`${place}/`)) ?? places[0];
}
