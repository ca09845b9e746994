import type { Kernel } from '../kernel.ts';
import {
  SYS_capset,
  SYS_keyctl,
  SYS_prctl,
  SYS_setgroups,
  SYS_setresgid,
  SYS_setresuid,
} from '../number.ts';

// prctl(2)
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;

const KEYCTL_JOIN_SESSION_KEYRING = 1;

export type CapabilityMasks = { effective: bigint; permitted: bigint; inheritable: bigint };

/** Who the process is and what it may do; credentials(7), capabilities(7), keyrings(7). */
export interface CredentialCalls {
  /** KEYCTL_JOIN_SESSION_KEYRING */
  joinSessionKeyring(name: string): void;
  setNoNewPrivileges(): void;
  setDumpable(on: boolean): void;
  isDumpable(): boolean;
  setKeepCapabilities(on: boolean): void;
  dropBoundingCapability(capability: number): void;
  clearAmbientCapabilities(): void;
  raiseAmbientCapability(capability: number): void;
  capset(masks: CapabilityMasks): void;
  setgroups(gids: readonly number[]): void;
  setresgid(gid: number): void;
  setresuid(uid: number): void;
}

export function credentialCalls({ libc, raw, integers, check, prctl }: Kernel): CredentialCalls {
  const capset = raw('void *', 'void *', 'long', 'long', 'long');
  const keyctl = raw('long', 'str', 'long', 'long', 'long');

  const capHeader = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  const capData = new Uint32Array(6);

  return {
    joinSessionKeyring(name) {
      check('keyctl', name, keyctl, SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
    },
    setNoNewPrivileges: () => prctl('PR_SET_NO_NEW_PRIVS', PR_SET_NO_NEW_PRIVS, 1),
    setDumpable: (on) => prctl('PR_SET_DUMPABLE', PR_SET_DUMPABLE, on ? 1 : 0),
    isDumpable: () =>
      check('prctl', 'PR_GET_DUMPABLE', integers, SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) === 1,
    setKeepCapabilities: (on) => prctl('PR_SET_KEEPCAPS', PR_SET_KEEPCAPS, on ? 1 : 0),
    dropBoundingCapability: (capability) =>
      prctl(`PR_CAPBSET_DROP ${capability}`, PR_CAPBSET_DROP, capability),
    clearAmbientCapabilities: () =>
      prctl('PR_CAP_AMBIENT_CLEAR_ALL', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL),
    raiseAmbientCapability: (capability) =>
      prctl(`PR_CAP_AMBIENT_RAISE ${capability}`, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability),
    capset({ effective, permitted, inheritable }) {
      for (const [index, mask] of [effective, permitted, inheritable].entries()) {
        capData[index] = Number(mask & 0xffff_ffffn);
        capData[index + 3] = Number(mask >> 32n);
      }
      check('capset', undefined, capset, SYS_capset, capHeader, capData, 0, 0, 0);
    },
    setgroups(gids) {
      const list = new Uint32Array(gids);
      const address = gids.length === 0 ? 0 : libc.address(list);
      check('setgroups', undefined, integers, SYS_setgroups, gids.length, address, 0, 0, 0);
    },
    setresgid: (gid) =>
      void check('setresgid', `gid ${gid}`, integers, SYS_setresgid, gid, gid, gid, 0, 0),
    setresuid: (uid) =>
      void check('setresuid', `uid ${uid}`, integers, SYS_setresuid, uid, uid, uid, 0, 0),
  };
}
