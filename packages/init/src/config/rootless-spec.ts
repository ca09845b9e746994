import { posix } from 'node:path';
import { getegid, geteuid } from 'node:process';
import type { OciMount, OciSpec } from './oci-spec.ts';

export type RootlessOptions = {
  /** Who becomes root inside. Default: this process's effective ids. */
  uid?: number;
  gid?: number;
  /**
   * Keep the network namespace, and a sysfs of its own with it: nothing but loopback is there until
   * somebody connects it. runc drops it. Default false.
   */
  keepNetwork?: boolean;
};

/**
 * Makes a specification one that an unprivileged user can launch without any help, as
 * `runc spec --rootless` does:
 *
 * - a user namespace in which that user is root, and no other id is there;
 * - the host's network, which such a user could not connect a new one to; /sys is the host's then,
 *   read-only, because a new sysfs needs a network namespace of one's own;
 * - no `uid=` and `gid=` options of mounts, which name ids that are not there;
 * - no `linux.resources`, because such a user has no cgroup to set them in.
 *
 * Everything else is as in `spec`, which is left as it is. The source is ToRootless in
 * libcontainer/specconv/example.go, runc 1.1.
 */
export function rootlessSpec(spec: OciSpec, options: RootlessOptions = {}): OciSpec {
  const { uid = geteuid!(), gid = getegid!(), keepNetwork = false } = options;
  const rootless = structuredClone(spec);
  const linux = (rootless.linux ??= {});
  const dropped = keepNetwork ? ['user'] : ['user', 'network'];
  const namespaces = linux.namespaces ?? [];
  linux.namespaces = [
    ...namespaces.filter(({ type }) => !dropped.includes(type)),
    { type: 'user' },
  ];
  linux.uidMappings = [{ containerID: 0, hostID: uid, size: 1 }];
  linux.gidMappings = [{ containerID: 0, hostID: gid, size: 1 }];
  delete linux.resources;
  const ownsNetwork = linux.namespaces.some(({ type }) => type === 'network');
  const mounts = rootless.mounts?.map((mount) =>
    !ownsNetwork && isSysfs(mount) ? hostSys() : withoutIds(mount),
  );
  return mounts === undefined ? rootless : { ...rootless, mounts };
}

const isSysfs = ({ destination }: OciMount): boolean =>
  posix.join('/', destination, '.').replace(/(.)\/$/, '$1') === '/sys';

const hostSys = (): OciMount => ({
  destination: '/sys',
  type: 'none',
  source: '/sys',
  options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
});

function withoutIds(mount: OciMount): OciMount {
  const options = mount.options?.filter((option) => !/^[ug]id=/.test(option));
  return options === undefined ? mount : { ...mount, options };
}
