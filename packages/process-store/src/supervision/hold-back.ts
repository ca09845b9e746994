import { constants } from 'node:fs';
import { isSyscallError, openFd, tryLock } from '@pilotlight/scm-rights';
import type { StoreLayout } from '../layout.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { Observation } from './observe.ts';

/**
 * Whether it is too early to call an end lost: in tiers B and C the monitor or the keeper may know what nobody else does, and
 * as long as one of them lives only the monitor decides.
 */
export function isHeldBack(
  layout: Pick<StoreLayout, 'monitorLock' | 'keeperLock'>,
  { tier }: Pick<ProcRecord, 'tier'>,
  { reason }: Extract<Observation, { kind: 'lost' }>,
): boolean {
  // A restart of the machine has taken them along.
  if (reason === 'reboot' || (tier !== 'B' && tier !== 'C')) return false;
  return isLockHeld(layout.keeperLock) || isLockHeld(layout.monitorLock);
}

/** Whether anybody holds the exclusive lock of a file. Makes none that is missing. Throws SyscallError. */
export function isLockHeld(path: string): boolean {
  try {
    using file = openFd(path, constants.O_RDONLY);
    using lock = tryLock(file, 'shared');
    return lock === undefined;
  } catch (error) {
    if (isSyscallError(error, 'ENOENT')) return false;
    throw error;
  }
}
