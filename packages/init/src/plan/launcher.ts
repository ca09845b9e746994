import { readFileSync } from 'node:fs';
import { getegid, geteuid } from 'node:process';

/** Who launches, as far as it decides how ids are mapped. */
export type Launcher = {
  uid: number;
  gid: number;
  /** False in a user namespace that forbids setgroups(2), and so does for all that are made in it. Default true. */
  canSetGroups?: boolean;
  /** Root of a user namespace, who owns nothing of the host: its cgroups above all. Default false. */
  inUserNamespace?: boolean;
};

type Namespace = Required<Pick<Launcher, 'canSetGroups' | 'inUserNamespace'>>;
let namespace: Namespace | undefined;

/** This process, as it is now. */
export const thisProcess = (): Launcher => ({
  uid: geteuid?.() ?? 0,
  gid: getegid?.() ?? 0,
  // Read once: nothing here enters another user namespace.
  ...(namespace ??= ownNamespace()),
});

/** user_namespaces(7) */
function ownNamespace(): Namespace {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/self/${name}`, 'utf8').trim();
    } catch {
      // A kernel without user namespaces, or no /proc.
      return '';
    }
  };
  const map = read('uid_map');
  return {
    canSetGroups: read('setgroups') !== 'deny',
    // The initial one maps every id on itself.
    inUserNamespace: map !== '' && map.split(/\s+/).join(' ') !== '0 0 4294967295',
  };
}
