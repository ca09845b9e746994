import { markOnce } from '../disk/mark-once.ts';
import { BusyError, errnoCode, isDiskRefusal } from '../errors.ts';
import { appendEvent } from '../events/append-events.ts';
import { recordFiles, type StoreLayout } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { RecordFacts } from '../record/read-facts.ts';

const HINDRANCES = new Set(['EACCES', 'EPERM']);

/** What may be told of a record, and whether it was. */
export type Telling = Pick<RecordFacts, 'released' | 'exit' | 'told'> & { proc: ProcRecord };

/** Whether something happened that is not in the journal yet. */
export function hasUntold({ released, exit, told }: Telling): boolean {
  return (released && !told.start) || (exit !== undefined && !told.exit);
}

/**
 * Puts into the journal what has happened to a process and was not told yet, in order.
 *
 * The caller holds the record's lock, so that nobody tells the same. A crash between the journal and the mark has it told
 * again: at least once.
 */
export async function tell(
  layout: StoreLayout,
  record: LockedRecord,
  telling: Telling,
): Promise<void> {
  if (!hasUntold(telling)) return;
  // Else it is told when there is room again, by whoever looks then.
  await unlessHindered(() => tellAll(layout, record, telling));
}

async function tellAll(
  layout: StoreLayout,
  record: LockedRecord,
  { proc, released, exit, told }: Telling,
): Promise<void> {
  const subject = { ...proc, key: record.key };
  if (released && !told.start) {
    const type = record.key.includes('/') ? 'exec' : 'start';
    await appendEvent(layout.events, subject, { type });
    await markOnce(record.directory, recordFiles.toldStart);
  }
  if (exit !== undefined && !told.exit) {
    await appendEvent(layout.events, subject, { type: 'exit', exit });
    await markOnce(record.directory, recordFiles.toldExit);
  }
}

/** Told before it is done: after a crash in between it is told again. The caller holds the record's lock. */
export async function tellRemoval(
  layout: StoreLayout,
  record: LockedRecord,
  proc: ProcRecord,
): Promise<void> {
  await unlessHindered(() =>
    appendEvent(layout.events, { ...proc, key: record.key }, { type: 'remove' }),
  );
}

/** A journal that cannot be written now hinders nothing: what the records say is true all the same. */
async function unlessHindered(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const hinders = error instanceof BusyError || isDiskRefusal(error);
    if (!hinders && !HINDRANCES.has(errnoCode(error) ?? '')) throw error;
  }
}
