import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { type FdLike, fdNumber, OwnedFd } from '@pilotlight/scm-rights';
import { eventfd, eventfdRead } from '@pilotlight/scm-rights/libc';

/**
 * An eventfd that becomes readable each time a v1 memory cgroup runs out of memory, and once when it is removed;
 * Documentation/admin-guide/cgroup-v1/memory.rst, section 10.
 *
 * @param path of the cgroup
 * @returns the eventfd, which the caller owns; closing it ends the registration
 * @throws SyscallError, or Node's own error for the two files
 */
export function oomEventfd(path: string): OwnedFd {
  const fd = new OwnedFd(eventfd(), 'oom eventfd');
  let control: number | undefined;
  try {
    control = openSync(join(path, 'memory.oom_control'), 'r');
    writeFileSync(join(path, 'cgroup.event_control'), `${fd.fd} ${control}`);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  } finally {
    // The kernel holds on to the cgroup by itself.
    if (control !== undefined) closeSync(control);
  }
}

/** How often it was signalled since it was last read; only when it is readable, or it blocks. @throws SyscallError */
export const takeOomEvents = (fd: FdLike): bigint => eventfdRead(fdNumber(fd));
