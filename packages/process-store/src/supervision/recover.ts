import { type OwnedFd, pinPidfd } from '@pilotlight/scm-rights';
import { sweepTemporaries } from '../disk/sweep-temporaries.ts';
import { inside } from '../disk/temporary-file.ts';
import { HeldBackError, StoreError } from '../errors.ts';
import { recordFiles, type StoreLayout } from '../layout.ts';
import { dropPin } from '../record/drop-pin.ts';
import { idsIn } from '../record/list-keys.ts';
import { lockRecord, type LockedRecord } from '../record/lock-record.ts';
import { plannedCgroups, removeCgroups } from '../process/cgroups.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import { type RecordFacts, readFacts } from '../record/read-facts.ts';
import { requireUnfinished } from '../record/require-recorded.ts';
import { removeRecord } from '../record/remove-record.ts';
import { type AtExit, nowhere } from './exit-step.ts';
import type { Here } from './here.ts';
import { isHeldBack } from './hold-back.ts';
import { type Observation, observe } from './observe.ts';
import { findingOf, subjectOf, tryRecordExit } from './record-exit.ts';
import { hasUntold, tell } from './tell.ts';

/** What is executed in a container is launched in milliseconds; a launch that hangs does not hold up the rest. */
const EXEC_DEADLINE_MS = 1000;

/** A record after recovery, with what the kernel said if it has no exit; the caller closes a pidfd in there. */
export interface Recovered {
  facts: RecordFacts;
  seen: Observation | undefined;
}

/** What the monitor has beyond others when it recovers a record. */
export interface Authority {
  /** A pidfd of that very process that was kept, if there is one; stays the owner's. */
  held?: ((proc: ProcRecord) => OwnedFd | undefined) | undefined;
  /** Whether it decides that an end is lost while it lives itself. */
  decides: boolean;
}

const NONE: Authority = { decides: false };

/**
 * Finishes what a crash, or an end that nobody watched, left of one record; undefined if that was a launch that never
 * came far enough, which is removed.
 *
 * The caller holds the record's lock, which a launch holds until it is done: so no launch is under way. Can be repeated.
 * Throws BadRecordError (nothing is touched then), HeldBackError, SyscallError.
 */
export async function recover(
  layout: StoreLayout,
  record: LockedRecord,
  where: Here,
  authority: Authority = NONE,
  at: AtExit = nowhere,
): Promise<Recovered | undefined> {
  const facts = await readFacts(record.directory, record.path);
  if (facts.hasTemporaries) await sweepTemporaries(record.directory);
  // 1. The exit is recorded: the pin has done its duty.
  if (facts.exit !== undefined && facts.proc !== undefined) {
    const { proc } = facts;
    await finish(layout, record, { ...facts, proc }, where, at);
    return { facts, seen: undefined };
  }
  if (facts.exit !== undefined) return { facts, seen: undefined };
  // 2. No process was recorded, so none was released: its gate has closed with the launcher, and it leaves by itself.
  if (facts.proc === undefined) {
    requireUnfinished(record.path, facts);
    if (facts.spec !== undefined) await removeCgroups(await plannedCgroups(facts.spec));
    await removeRecord(layout, record);
    return undefined;
  }
  const { proc } = facts;
  // 3. The kernel knows.
  const seen = observe(proc, record.pinPath, where, authority.held?.(proc));
  if (seen.kind === 'lost' && !authority.decides && isHeldBack(layout, proc, seen)) {
    throw new HeldBackError(record.key);
  }
  try {
    return await settle(layout, record, { ...facts, proc }, seen, where, at);
  } catch (error) {
    if ('pidfd' in seen) seen.pidfd.close();
    throw error;
  }
}

async function settle(
  layout: StoreLayout,
  record: LockedRecord,
  facts: RecordFacts & { proc: NonNullable<RecordFacts['proc']> },
  seen: Observation,
  where: Here,
  at: AtExit,
): Promise<Recovered> {
  switch (seen.kind) {
    case 'ended':
    case 'lost': {
      await at('ended');
      const { exit, recorded } = await tryRecordExit(
        record.directory,
        subjectOf(facts),
        findingOf(seen),
      );
      // Never before the exit is on disk.
      if (!recorded) return { facts: { ...facts, exit }, seen: undefined };
      await at('exitRecorded');
      await finish(layout, record, { ...facts, exit }, where, at);
      return { facts: { ...facts, exit }, seen: undefined };
    }
    case 'alive':
    case 'zombie': {
      const mayPin = facts.proc.tier === 'A' && facts.proc.namespaces.mnt === where.namespaces.mnt;
      // Somebody unmounted the pin: hold the status again while there is still time.
      if (seen.via === 'pid' && mayPin) pinPidfd(seen.pidfd, record.pinPath);
      await tell(layout, record, facts);
      return { facts, seen };
    }
    case 'hidden':
      return { facts, seen };
  }
}

/** What is left to do once the exit is on disk. */
async function finish(
  layout: StoreLayout,
  record: LockedRecord,
  facts: RecordFacts & { proc: ProcRecord },
  where: Here,
  at: AtExit,
): Promise<void> {
  if (facts.pinFile) {
    dropPin(record.pinPath);
    await at('unpinned');
  }
  if (!hasUntold(facts)) return;
  if (facts.hasExecs) await finishExecs(layout, record, where);
  await tell(layout, record, facts);
  await at('exitTold');
}

/**
 * Records and tells the ends of what was executed in a container before the container's own is told. What shares its pid
 * namespace has ended and was reaped before it; anything else may live on, and then its end is told after.
 */
async function finishExecs(
  layout: StoreLayout,
  { key, directory }: LockedRecord,
  where: Here,
): Promise<void> {
  for (const exec of await idsIn(inside(directory, recordFiles.execs))) {
    const execKey = `${key}/${exec}`;
    const path = layout.record(execKey);
    try {
      await using record = await lockRecord(execKey, path, { deadlineMs: EXEC_DEADLINE_MS });
      if (record === undefined) continue;
      const recovered = await recover(layout, record, where);
      if (recovered?.seen !== undefined && 'pidfd' in recovered.seen) recovered.seen.pidfd.close();
    } catch (error) {
      // Damaged, or in use: that is told when that record itself is looked at.
      if (!(error instanceof StoreError)) throw error;
    }
  }
}
