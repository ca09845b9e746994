import type { Probe } from './host-failure.ts';
import { hasSeccompFilter } from './host.ts';

/** The first kernel with a system call, by its name; section 2 of the manual, History. */
const firstKernel: Readonly<Record<string, string>> = {
  pidfd_send_signal: '5.1',
  open_tree: '5.2',
  move_mount: '5.2',
  fsopen: '5.2',
  fsconfig: '5.2',
  fsmount: '5.2',
  clone3: '5.3',
  pidfd_open: '5.3',
  openat2: '5.6',
  pidfd_getfd: '5.6',
  close_range: '5.9',
  mount_setattr: '5.12',
};

/** A call that is missing: the kernel is too old, or a filter of an outer container hides the call. */
export const missingCall: Probe = ({ syscall, errnoCode }, host) => {
  if (errnoCode !== 'ENOSYS' || syscall === undefined) return undefined;
  const needed = firstKernel[syscall];
  if (needed !== undefined && isOlder(host.kernelRelease, needed)) {
    return `${syscall} needs Linux ${needed}; this is ${host.kernelRelease}. Use a newer kernel.`;
  }
  if (hasSeccompFilter(host)) {
    return `Linux ${host.kernelRelease} has ${syscall}, but this process is under a seccomp filter (Seccomp: 2 in /proc/self/status) that hides it: allow ${syscall} in the seccomp profile of the container around this process.`;
  }
  if (needed === undefined) return undefined;
  return `A kernel that calls itself ${host.kernelRelease} should have ${syscall}: it is not Linux itself but something in its place, such as gVisor or WSL 1. Use a real one.`;
};

/** Denied although the right is there: the filter of an outer container. */
export const filteredCall: Probe = ({ syscall, errnoCode }, host) =>
  errnoCode === 'EPERM' && syscall !== undefined && hasSeccompFilter(host)
    ? `This process is under a seccomp filter (Seccomp: 2 in /proc/self/status), as in a container, which may deny ${syscall}: allow it in the profile of the container around this process.`
    : undefined;

function isOlder(release: string, needed: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const [neededMajor = 0, neededMinor = 0] = needed.split('.').map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
