import { isSyscallError, pidfdSendSignal, signalNumber } from '@pilotlight/scm-rights';
import { ForeignNamespaceError, NotRunningError } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { parseRecordKey } from '../record/record-key.ts';
import type { Generation } from '../record/generation.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { notFound, viewRecord, withRecord } from './view-record.ts';

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
): Promise<void> {
  parseRecordKey(id);
  const number = signalNumber(signal);
  const sent = await viewRecord(root, id, generation, ({ seen }) => {
    if (seen?.kind === 'hidden') throw new ForeignNamespaceError('signal', id);
    if (seen === undefined || !('pidfd' in seen)) return false;
    try {
      pidfdSendSignal(seen.pidfd, number);
      return true;
    } catch (error) {
      // Reaped since we looked.
      if (isSyscallError(error, 'ESRCH')) return false;
      throw error;
    }
  });
  if (sent) return;
  const exit = await withRecord(root, id, generation, ({ facts }) => describeExit(facts.exit));
  if (exit === undefined) throw await notFound(root, id);
  throw new NotRunningError(`send ${signal} to`, id, exit);
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
