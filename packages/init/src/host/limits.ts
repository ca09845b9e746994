import { makesNamespaces, mounts, type Probe } from './host-failure.ts';
import { sysctl } from './host.ts';

/** Mounts of one mount namespace; /proc/sys/fs/mount-max, Linux 4.9. */
export const mountLimit: Probe = (failure, host) => {
  if (failure.errnoCode !== 'ENOSPC' || !mounts(failure)) return undefined;
  const most = sysctl(host, 'fs/mount-max');
  if (most === undefined) return undefined;
  const here = (host.read('/proc/self/mountinfo') ?? '').split('\n').filter(Boolean).length;
  return `A mount namespace may have ${most} mounts (fs.mount-max), and starts with the ${here} of this one: raise fs.mount-max with sysctl(8), or unmount what is not needed.`;
};

/** Open files of one process; /proc/sys/fs/nr_open. */
export const openFilesLimit: Probe = ({ syscall, errnoCode, message }, host) => {
  if (errnoCode !== 'EPERM' || !['prlimit', 'prlimit64', 'setrlimit'].includes(syscall ?? '')) {
    return undefined;
  }
  const most = sysctl(host, 'fs/nr_open');
  if (most === undefined || !message.includes('RLIMIT_NOFILE')) return undefined;
  return `No process may have more than ${most} open files on this host (fs.nr_open): ask for less in process.rlimits, or raise it with sysctl(8). A higher hard limit than one's own needs CAP_SYS_RESOURCE.`;
};

/** Descriptors that ran out in this process or on the whole host. */
export const descriptorsRanOut: Probe = ({ errnoCode }, host) => {
  if (errnoCode === 'EMFILE') {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(host.read('/proc/self/limits') ?? '') ?? [];
    if (soft === undefined) return undefined;
    return `This process may have ${soft} open files at once: launch less at the same time, or raise the limit (ulimit -n).`;
  }
  if (errnoCode !== 'ENFILE') return undefined;
  const most = sysctl(host, 'fs/file-max');
  return most === undefined
    ? undefined
    : `All ${most} open files of this host are in use (fs.file-max): close some, or raise it with sysctl(8).`;
};

/** Processes that ran out; clone(2), EAGAIN. */
export const processLimit: Probe = (failure, host) => {
  if (failure.errnoCode !== 'EAGAIN' || !makesNamespaces(failure)) return undefined;
  const [, soft] = /^Max processes\s+(\S+)/m.exec(host.read('/proc/self/limits') ?? '') ?? [];
  const [threads, pids] = [sysctl(host, 'kernel/threads-max'), sysctl(host, 'kernel/pid_max')];
  return `No process could be made: a limit is reached, of this user (${soft ?? 'unknown'}, ulimit -u), of this host (kernel.threads-max ${threads ?? 'unknown'}, kernel.pid_max ${pids ?? 'unknown'}), or of a cgroup above (pids.max). End some, or raise it.`;
};
