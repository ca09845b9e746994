import { readFileSync } from 'node:fs';
import { getegid, geteuid } from 'node:process';

/** Who launches, as far as it decides how ids are mapped. */
export type Launcher = {
  uid: number;
  gid: number;
  /** False in a user namespace that forbids setgroups(2), and so does for all that are made in it. Default true. */
  canSetGroups?: boolean;
};

let canSetGroups: boolean | undefined;

export const thisProcess = (): Launcher => ({
  uid: geteuid?.() ?? 0,
  gid: getegid?.() ?? 0,
  // Read once: no process can leave its user namespace for one in which this is otherwise.
  canSetGroups: (canSetGroups ??= maySetGroups()),
});

/** /proc/self/setgroups, user_namespaces(7). */
function maySetGroups(): boolean {
  try {
    return readFileSync('/proc/self/setgroups', 'utf8').trim() !== 'deny';
  } catch {
    // A kernel without user namespaces, or no /proc.
    return true;
  }
}
