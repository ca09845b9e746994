import { constants } from 'node:os';
import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';

/** What is sent so that a program ends, unlike what has it do something. */
const ENDING: readonly number[] = [
  constants.signals.SIGINT,
  constants.signals.SIGQUIT,
  constants.signals.SIGKILL,
  constants.signals.SIGTERM,
];

/** Throws what `ProcessStore.signal` throws. */
export async function kill(
  this: CliContext,
  _flags: {},
  id: string,
  signal: number,
): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  // Whoever asks for the end of a program that is started again after each end means all of it.
  await store.signal(id, signal, { forGood: ENDING.includes(signal) });
}
