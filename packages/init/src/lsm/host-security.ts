import { existsSync, readFileSync } from 'node:fs';

/** Which of the security modules that the specification knows are active; asked only when needed. */
export type HostSecurity = { appArmor(): boolean; selinux(): boolean };

/** What this host's kernel runs, as far as its file systems tell. */
export const hostSecurity: HostSecurity = {
  appArmor: () =>
    textOf('/sys/module/apparmor/parameters/enabled').startsWith('Y') || isListed('apparmor'),
  // selinuxfs can be mounted exactly when SELinux is active.
  selinux: () => existsSync('/sys/fs/selinux/enforce') || isListed('selinux'),
};

/** securityfs: the modules in the order in which they are asked. */
const isListed = (name: string): boolean =>
  textOf('/sys/kernel/security/lsm').trim().split(',').includes(name);

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there, or hidden by an outer container: no proof that the module is active.
    return '';
  }
}
