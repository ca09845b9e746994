import {
  dupFd,
  isSyscallError,
  openPin,
  type OwnedFd,
  type PidfdInfo,
  pidfdInfo,
  pidfdInode,
  pidfdState,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import { BadRecordError } from '../errors.ts';
import type { UnknownReason } from '../record/exit-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { Here } from './here.ts';
import { identify } from './identify.ts';

/** Where a process without an exit record stands, asked of the kernel. */
export type Observation =
  /** It lives, or is a zombie that its parent has not waited for. The caller closes the pidfd. */
  | { kind: 'alive' | 'zombie'; pidfd: OwnedFd; via: 'pin' | 'pid' | 'held' }
  /** It has ended and the kernel tells how. */
  | { kind: 'ended'; status: WaitStatus; source: 'pin' | 'pidfd' }
  /** It has ended and nothing tells how. */
  | { kind: 'lost'; reason: UnknownReason }
  /** It cannot be seen from the namespaces we are in. */
  | { kind: 'hidden' };

/**
 * Asks the kernel about the process of a record, without changing anything.
 *
 * `pinPath` is where its pin would be; `held` a pidfd of it that was kept, which stays the caller's. Throws BadRecordError when a pin is there that is another process's, SyscallError.
 */
export function observe(
  proc: ProcRecord,
  pinPath: string,
  where: Here,
  held?: OwnedFd,
): Observation {
  // Pids and pins of another boot mean nothing, even where the numbers exist.
  if (proc.bootId !== where.bootId) return { kind: 'lost', reason: 'reboot' };
  const pin = openPin(pinPath);
  if (pin !== undefined) return observePinned(pin, proc, pinPath);
  if (held !== undefined) return describe(dupFd(held, held.role), 'held');
  if (proc.namespaces.pid !== where.namespaces.pid) return { kind: 'hidden' };
  const identified = identify(proc);
  if (identified.kind === 'same') return describe(identified.pidfd, 'pid');
  // The pin may exist where we cannot see it, and then it has the status.
  if (proc.tier === 'A' && proc.namespaces.mnt !== where.namespaces.mnt) return { kind: 'hidden' };
  return { kind: 'lost', reason: identified.kind === 'gone' ? 'no-holder' : 'pid-reused' };
}

function observePinned(pin: OwnedFd, proc: ProcRecord, pinPath: string): Observation {
  if (proc.pidfsIno !== null && pidfdInode(pin) !== proc.pidfsIno) {
    pin.close();
    throw new BadRecordError(pinPath, `another process than ${proc.pid} is pinned there`);
  }
  return describe(pin, 'pin');
}

/** Takes over the pidfd: it is in the result, or closed. */
function describe(pidfd: OwnedFd, via: 'pin' | 'pid' | 'held'): Observation {
  try {
    const state = pidfdState(pidfd);
    if (state === 'reaped') {
      const observation = describeReaped(pidfd, via === 'pin' ? 'pin' : 'pidfd');
      pidfd.close();
      return observation;
    }
    return { kind: state === 'exited' ? 'zombie' : 'alive', pidfd, via };
  } catch (error) {
    pidfd.close();
    throw error;
  }
}

/** What a pidfd of a reaped process tells. The pidfd stays the caller's. Throws SyscallError. */
export function describeReaped(
  pidfd: OwnedFd,
  source: 'pin' | 'pidfd',
): Extract<Observation, { kind: 'ended' | 'lost' | 'hidden' }> {
  let info: PidfdInfo;
  try {
    info = pidfdInfo(pidfd);
  } catch (error) {
    if (isSyscallError(error, 'EREMOTE')) return { kind: 'hidden' };
    if (UNAVAILABLE.some((code) => isSyscallError(error, code))) {
      return { kind: 'lost', reason: 'no-holder' };
    }
    throw error;
  }
  return info.exit === undefined
    ? { kind: 'lost', reason: 'no-holder' }
    : { kind: 'ended', status: info.exit, source };
}

/** A kernel before 6.15, or one that guards the status: both have no answer for us. */
const UNAVAILABLE = ['ENOTTY', 'EINVAL', 'ESRCH', 'EPERM', 'EACCES'];
