import { readdir, stat, unlink } from 'node:fs/promises';
import { type OwnedFd, pinPidfd, unpin } from '@pilotlight/scm-rights';
import { inside } from '../disk/write-once.ts';
import { errnoCode, HeldBackError } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { plannedCgroups, removeCgroups } from '../process/cgroups.ts';
import { type RecordFacts, readFacts } from '../record/read-facts.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import { removeRecord } from '../record/remove-record.ts';
import type { Here } from './here.ts';
import { isHeldBack } from './hold-back.ts';
import { type Observation, observe } from './observe.ts';
import { type ExitFinding, recordExit } from './record-exit.ts';

/** Dot files are temporary; older than this nobody is writing them any more. */
const TEMPORARY_MS = 60_000;

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
  authority: Authority = { decides: false },
): Promise<Recovered | undefined> {
  const facts = await readFacts(record.directory, record.path);
  await sweepTemporaries(record);
  // 1. The exit is recorded: the pin has done its duty.
  if (facts.exit !== undefined) {
    if (facts.pinFile) unpin(record.pinPath);
    return { facts, seen: undefined };
  }
  // 2. No process was recorded, so none was released: its gate has closed with the launcher, and it leaves by itself.
  if (facts.proc === undefined) {
    if (facts.spec !== undefined) await removeCgroups(await plannedCgroups(facts.spec));
    await removeRecord(layout, record);
    return undefined;
  }
  const { proc } = facts;
  // 3. The kernel knows.
  const seen = observe(proc, record.pinPath, where, authority.held?.(proc));
  if (seen.kind === 'lost' && !authority.decides && isHeldBack(layout, proc, seen)) {
    throw new HeldBackError(record.id);
  }
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
      const finding: ExitFinding =
        seen.kind === 'lost'
          ? { reason: seen.reason }
          : { status: seen.status, source: seen.source };
      const subject = { ...facts.proc, released: facts.released };
      const exit = await recordExit(record.directory, subject, finding);
      // Never before the exit is on disk.
      if (facts.pinFile) unpin(record.pinPath);
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

async function sweepTemporaries({ directory }: LockedRecord): Promise<void> {
  const names = (await readdir(inside(directory, ''))).filter((name) => name.startsWith('.'));
  for (const name of names) {
    const path = inside(directory, name);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > TEMPORARY_MS) await unlink(path);
    } catch (error) {
      // Its writer was still there, and has finished.
      if (errnoCode(error) !== 'ENOENT') throw error;
    }
  }
}
