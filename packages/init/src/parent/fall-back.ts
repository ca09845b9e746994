import type { ZygoteError } from '../errors.ts';
import { zygoteChannels, type ZygoteFallbackEvent } from './launch-channels.ts';
import { startFallbackZygote } from './spawning-zygote.ts';
import type { ProcessZygote } from './zygote-process.ts';

let told = false;

/** Starts a zygote that spawns, because this Node cannot be forked; says so once in the life of this process. */
export async function fallBack(error: ZygoteError): Promise<ProcessZygote> {
  const zygote = await startFallbackZygote(error.message);
  if (!told && zygoteChannels.fallback.hasSubscribers) {
    const event: ZygoteFallbackEvent = { reason: error.message, error };
    zygoteChannels.fallback.publish(event);
  }
  told = true;
  return zygote;
}
