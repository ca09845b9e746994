import { pinPidfd } from '@pilotlight/scm-rights';
import { sweepTemporaries } from '../disk/sweep-temporaries.ts';
import type { StoreLayout } from '../layout.ts';
import { dropPin } from '../record/drop-pin.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { plannedCgroups, removeCgroups } from '../process/cgroups.ts';
import { type RecordFacts, readFacts } from '../record/read-facts.ts';
import { requireUnfinished } from '../record/require-recorded.ts';
import { removeRecord } from '../record/remove-record.ts';
import type { Here } from './here.ts';
import { type Observation, observe } from './observe.ts';
import { findingOf, subjectOf, tryRecordExit } from './record-exit.ts';

/** A record after recovery, with what the kernel said if it has no exit; the caller closes a pidfd in there. */
export interface Recovered {
  facts: RecordFacts;
  seen: Observation | undefined;
}

/**
 * Finishes what a crash, or an end that nobody watched, left of one record; undefined if that was a launch that never
 * came far enough, which is removed.
 *
 * The caller holds the record's lock, which a launch holds until it is done: so no launch is under way. Can be repeated.
 * Throws BadRecordError (nothing is touched then), SyscallError.
 */
export async function recover(
  layout: StoreLayout,
  record: LockedRecord,
  where: Here,
): Promise<Recovered | undefined> {
  const facts = await readFacts(record.directory, record.path);
  await sweepTemporaries(record.directory);
  // 1. The exit is recorded: the pin has done its duty.
  if (facts.exit !== undefined) {
    if (facts.pinFile) dropPin(record.pinPath);
    return { facts, seen: undefined };
  }
  // 2. No process was recorded, so none was released: its gate has closed with the launcher, and it leaves by itself.
  if (facts.proc === undefined) {
    requireUnfinished(record.path, facts);
    if (facts.spec !== undefined) await removeCgroups(await plannedCgroups(facts.spec));
    await removeRecord(layout, record);
    return undefined;
  }
  const { proc } = facts;
  // 3. The kernel knows.
  const seen = observe(proc, record.pinPath, where);
  try {
    return await settle(record, { ...facts, proc }, seen, where);
  } catch (error) {
    if ('pidfd' in seen) seen.pidfd.close();
    throw error;
  }
}

async function settle(
  record: LockedRecord,
  facts: RecordFacts & { proc: NonNullable<RecordFacts['proc']> },
  seen: Observation,
  where: Here,
): Promise<Recovered> {
  switch (seen.kind) {
    case 'ended':
    case 'lost': {
      const { exit, recorded } = await tryRecordExit(
        record.directory,
        subjectOf(facts),
        findingOf(seen),
      );
      // Never before the exit is on disk.
      if (recorded && facts.pinFile) dropPin(record.pinPath);
      return { facts: { ...facts, exit }, seen: undefined };
    }
    case 'alive':
    case 'zombie': {
      const mayPin = facts.proc.tier === 'A' && facts.proc.namespaces.mnt === where.namespaces.mnt;
      // Somebody unmounted the pin: hold the status again while there is still time.
      if (seen.via === 'pid' && mayPin) pinPidfd(seen.pidfd, record.pinPath);
      return { facts, seen };
    }
    case 'hidden':
      return { facts, seen };
  }
}
