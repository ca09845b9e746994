import type { PlannedMount } from '../config/init-config.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import type { HostSecurity } from './host-security.ts';

/** What the program is to run as. */
export type PlannedLabels = {
  /** An AppArmor profile that the kernel has loaded. */
  apparmor: string | undefined;
  /** A SELinux context; keys of the process's keyring get it as well. */
  selinux: string | undefined;
};

const howToAppArmor =
  'Remove the field, or boot with AppArmor: CONFIG_SECURITY_APPARMOR, and apparmor in lsm= on the kernel command line.';
const howToSelinux =
  'Remove the field, or boot with SELinux: CONFIG_SECURITY_SELINUX, and selinux in lsm= on the kernel command line.';

/**
 * @throws UnsupportedConfigError where the kernel does not run the security module: without it the
 *   program would run unconfined and nobody would notice
 * @throws InvalidConfigError for both of them
 */
export function planLabels(
  spec: Pick<OciSpec, 'process' | 'linux'>,
  host: HostSecurity,
): PlannedLabels | undefined {
  const apparmor = nonEmpty(spec.process.apparmorProfile);
  const selinux = nonEmpty(spec.process.selinuxLabel);
  const refuse = (field: string, module: string, hint: string): never => {
    throw new UnsupportedConfigError(field, `this kernel does not run ${module}`, [], { hint });
  };
  if (apparmor !== undefined && !host.appArmor()) {
    refuse('process.apparmorProfile', 'AppArmor', howToAppArmor);
  }
  const label = selinux === undefined ? nonEmpty(spec.linux?.mountLabel) : selinux;
  if (label !== undefined && !host.selinux()) {
    const field = selinux === undefined ? 'linux.mountLabel' : 'process.selinuxLabel';
    refuse(field, 'SELinux', howToSelinux);
  }
  if (apparmor !== undefined && selinux !== undefined) {
    throw new InvalidConfigError(
      'process.apparmorProfile',
      'process.apparmorProfile: a process cannot have a SELinux label as well',
      { hint: 'Keep the one whose security module this host runs.' },
    );
  }
  return apparmor === undefined && selinux === undefined ? undefined : { apparmor, selinux };
}

/** Kernel file systems that label their files themselves, and take no context. */
const selfLabelled = ['proc', 'sysfs', 'mqueue', 'cgroup', 'cgroup2', 'bpf', 'securityfs'];

/** Gives new file systems the context of `linux.mountLabel`; mount(8), "context". Existing files keep theirs. */
export function labelMounts(mounts: PlannedMount[], label: string | undefined): PlannedMount[] {
  if (nonEmpty(label) === undefined) return mounts;
  return mounts.map((mount) => {
    if (mount.kind !== 'filesystem' || selfLabelled.includes(mount.fstype)) return mount;
    // A mount that says it itself knows better.
    if (mount.parameters.some(([key]) => key.endsWith('context'))) return mount;
    return { ...mount, parameters: [['context', label!], ...mount.parameters] };
  });
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
