import { setTimeout as sleep } from 'node:timers/promises';
import { isStoreError } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';
import { askToSettle } from '../monitor/client/ask-to-settle.ts';

const DEADLINE_MS = 10_000;
const LEAST_DEADLINE_MS = 1000;
const PAUSE_MS = 20;

/**
 * Does `work`, and whenever it meets an end that is held back, has the monitor record it and does it again.
 *
 * `work` holds no lock and nothing open any more when it throws HeldBackError. Rejects with that error after `deadlineMs`,
 * ten seconds unless given, and with the signal's reason.
 */
export async function settleHeldBack<T>(
  layout: StoreLayout,
  key: string,
  work: () => Promise<T>,
  options: { deadlineMs?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  const { signal } = options;
  const deadlineMs = Math.max(options.deadlineMs ?? DEADLINE_MS, LEAST_DEADLINE_MS);
  let end: number | undefined;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isStoreError(error, 'ERR_STORE_HELD_BACK')) throw error;
      end ??= performance.now() + deadlineMs;
      const leftMs = end - performance.now();
      if (leftMs <= 0) throw error;
      signal?.throwIfAborted();
      // A monitor that is not there just now is being restarted, or the end of both is about to be seen.
      await askToSettle(layout, key, AbortSignal.timeout(Math.ceil(leftMs))).catch(() => undefined);
      await sleep(Math.min(PAUSE_MS, leftMs));
    }
  }
}
