import { readdirSync, readlinkSync } from 'node:fs';

/** The open descriptors of this process and what each refers to, such as `socket:[4711]`; proc_pid_fd(5). */
export function listOpenFds(): Map<number, string> {
  const open = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The descriptor that the listing itself used.
    }
  }
  return open;
}

/** How many descriptors this process has open. */
export function countOpenFds(): number {
  return listOpenFds().size;
}
