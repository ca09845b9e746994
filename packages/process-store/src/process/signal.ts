import { isSyscallError, pidfdSendSignal, signalNumber } from '@pilotlight/scm-rights';
import { markOnce } from '../disk/mark-once.ts';
import { ForeignNamespaceError, isDiskRefusal, isStoreError, NotRunningError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { parseRecordKey } from '../record/record-key.ts';
import type { Generation } from '../record/generation.ts';
import { mayRestart } from '../restart/restart-policy.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { describeExit as describeEnd, findingOf, subjectOf } from '../supervision/record-exit.ts';
import { notFound, type RecordView, viewRecord, withRecord } from './view-record.ts';

export interface SignalOptions {
  /** The process is meant to end: no restart policy starts it again, whether or not this signal ends it. Default false. */
  forGood?: boolean;
}

/**
 * Sends a signal, by name or number, to exactly the recorded process, through a pidfd.
 *
 * Throws NotRunningError if it has ended, ForeignNamespaceError, NotFoundError, BadRecordError, and InvalidArgumentError of
 * @pilotlight/scm-rights for what is no signal.
 */
export async function signalProcess(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
  signal: string | number,
  { forGood = false }: SignalOptions = {},
): Promise<void> {
  parseRecordKey(id);
  const number = signalNumber(signal);
  // Before the signal: the end that it brings must not be taken for one to restart after.
  if (forGood) await endRestarts(root, id, generation);
  const seen = await viewRecord(root, id, generation, (view) => send(view, id, number));
  if (seen === 'sent') return;
  let exit: string | undefined;
  try {
    exit = await withRecord(root, id, generation, ({ facts }) => describeExit(facts.exit));
  } catch (error) {
    // Nothing can be recorded there now, but what was seen is true.
    if (!isDiskRefusal(error) && !isStoreError(error, 'ERR_STORE_ROOT')) throw error;
    exit = describeExit(seen);
  }
  if (exit === undefined) throw await notFound(root, id);
  throw new NotRunningError(`send ${signal} to`, id, exit);
}

/** Writes nothing for a process that is not started again anyway. */
async function endRestarts(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
): Promise<void> {
  const restarts = await viewRecord(root, id, generation, ({ facts }) => facts?.spec.restarts);
  if (!mayRestart(restarts)) return;
  await withRecord(root, id, generation, ({ record }) =>
    markOnce(record.directory, recordFiles.stop),
  );
}

async function send(
  { facts, seen }: RecordView,
  id: string,
  signal: number,
): Promise<'sent' | ExitRecord | undefined> {
  if (seen?.kind === 'hidden') throw new ForeignNamespaceError('signal', id);
  if (facts === undefined) return undefined;
  if (seen === undefined) return facts.exit;
  if (!('pidfd' in seen)) return describeEnd(subjectOf(facts), findingOf(seen));
  try {
    pidfdSendSignal(seen.pidfd, signal);
    return 'sent';
  } catch (error) {
    // Reaped since we looked.
    if (isSyscallError(error, 'ESRCH')) return undefined;
    throw error;
  }
}

/** How a process ended, as the end of a sentence. */
export function describeExit(exit: ExitRecord | undefined): string {
  switch (exit?.kind) {
    case 'exited':
      return `it has exited with ${exit.code}`;
    case 'signaled':
      return `signal ${exit.signal} has ended it`;
    case 'unknown':
      return `it has ended, how is unknown (${exit.reason})`;
    case undefined:
      return 'it has ended';
  }
}
