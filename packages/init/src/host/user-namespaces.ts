import { denied, makesNamespaces, type Probe } from './host-failure.ts';
import { sysctl } from './host.ts';

/** A user namespace that an unprivileged user may not make, or may make and not use. */
export const restrictedUserNamespaces: Probe = (failure, host) => {
  if (failure.newUserNamespace !== true || host.uid === 0 || !denied(failure)) return undefined;
  // Debian's and its kin's kernels.
  if (makesNamespaces(failure) && sysctl(host, 'kernel/unprivileged_userns_clone') === 0) {
    return 'This host lets only root make user namespaces (kernel.unprivileged_userns_clone is 0): set it to 1 with sysctl(8), or launch as root.';
  }
  // AppArmor 4: the namespace is made, and has no rights inside.
  if (sysctl(host, 'kernel/apparmor_restrict_unprivileged_userns') === 1) {
    return `AppArmor takes the rights of user namespaces from unprivileged programs here (kernel.apparmor_restrict_unprivileged_userns is 1): give ${process.execPath} a profile with the rule "userns,", or set the sysctl to 0.`;
  }
  return undefined;
};

const limits = {
  user: 'max_user_namespaces',
  pid: 'max_pid_namespaces',
  network: 'max_net_namespaces',
  ipc: 'max_ipc_namespaces',
  uts: 'max_uts_namespaces',
  mount: 'max_mnt_namespaces',
  cgroup: 'max_cgroup_namespaces',
  time: 'max_time_namespaces',
} as const;

/** A limit of the number of namespaces; namespaces(7), /proc/sys/user. */
export const namespaceLimit: Probe = (failure, host) => {
  if (failure.errnoCode !== 'ENOSPC' || !makesNamespaces(failure)) return undefined;
  const none = Object.entries(limits).find(([, name]) => sysctl(host, `user/${name}`) === 0);
  if (none !== undefined) {
    return `This host allows no ${none[0]} namespaces (user.${none[1]} is 0): raise it with sysctl(8).`;
  }
  return 'A limit of namespaces is reached for this user: 32 levels of nested ones, or one of the sysctls user.max_*_namespaces. End what holds old ones, or raise it.';
};
