import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `delayMs`, or rejects with the signal's reason before. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  // It rejects with an error of its own when aborted; the signal's reason says more.
  await delay(delayMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  signal?.throwIfAborted();
}
