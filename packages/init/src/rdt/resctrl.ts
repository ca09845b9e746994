import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

/** The resctrl file system of this host, as far as a plan needs it; asked only when one is wanted. */
export type Resctrl = {
  /** Where it is mounted; `undefined` where it is not. */
  root(): string | undefined;
  /** Whether the machine can control or count this: a name below `info`, such as `L3` or `MB`. */
  has(root: string, resource: string): boolean;
};

export const hostResctrl: Resctrl = {
  root: () => resctrlMountpoint(readFileSync('/proc/self/mountinfo', 'utf8')),
  has: (root, resource) => existsSync(join(root, 'info', resource)),
};

/** The mountpoint in the text of a mountinfo file, proc_pid_mountinfo(5). */
export function resctrlMountpoint(mountinfo: string): string | undefined {
  const line = mountinfo.split('\n').find((each) => each.split(' - ')[1]?.startsWith('resctrl '));
  // Blanks and backslashes are written as octal numbers.
  return line
    ?.split(' ')[4]
    ?.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
}
