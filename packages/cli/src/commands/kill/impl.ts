import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';

/** Throws what `ProcessStore.signal` throws. */
export async function kill(
  this: CliContext,
  _flags: {},
  id: string,
  signal: number,
): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  await store.signal(id, signal);
}
