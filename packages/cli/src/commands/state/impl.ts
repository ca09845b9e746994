import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { renderJsonObject } from '../../render/json.ts';
import { ociState } from '../../render/oci-state.ts';

/** Throws what `ProcessStore.load` throws. */
export async function state(this: CliContext, _flags: {}, id: string): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  const process = await store.load(id);
  this.host.stdout.write(renderJsonObject(ociState(process, '')));
}
