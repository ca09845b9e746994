import { isStoreError, openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { writeWarning } from '../../render/warning.ts';
import type { DeleteFlags } from './command.ts';

/** Throws what `ProcessStore.remove` throws. */
export async function deleteOne(
  this: CliContext,
  { force }: DeleteFlags,
  id: string,
): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  try {
    await store.remove(id, {
      force,
      onWarning: (warning) => writeWarning(this.host, warning),
    });
  } catch (error) {
    // What is not there need not be removed: callers clean up with --force after anything.
    if (!force || !isStoreError(error, 'ERR_STORE_NOT_FOUND')) throw error;
  }
}
