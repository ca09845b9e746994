import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreLayout } from '../layout.ts';
import { ask } from '../monitor/client/ask.ts';
import { connectMonitor } from '../monitor/client/connect-monitor.ts';
import { isLockHeld } from '../supervision/hold-back.ts';

const DEADLINE_MS = 5000;
const FIRST_DELAY_MS = 2;
const LONGEST_DELAY_MS = 50;

/**
 * Has the monitor and the keeper of a root without records leave, so that the root can be removed; true if neither is there
 * any more.
 *
 * The caller holds the root's lock for itself, so no launch is under way. Tries for five seconds.
 */
export async function dismissPair(layout: StoreLayout): Promise<boolean> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
    if (!isLockHeld(layout.keeperLock) && !isLockHeld(layout.monitorLock)) return true;
    if (deadline.aborted) return false;
    // One that is being started or restarted does not listen yet.
    if ((await askToLeave(layout, deadline)) === 'busy') return false;
    await sleep(delay);
  }
}

async function askToLeave(
  layout: StoreLayout,
  signal: AbortSignal,
): Promise<'leaving' | 'busy' | undefined> {
  try {
    using connection = await connectMonitor(layout, signal);
    if (connection === undefined) return undefined;
    const question = { type: 'leave' } as const;
    const { message } = await ask(layout.root, connection, question, ['leaving', 'busy'], {
      signal,
    });
    return message.type;
  } catch {
    // It has left, or is no longer able to answer: its locks tell.
    return undefined;
  }
}

/** Removes what a pair that was killed has left. The caller has made sure that none is there. */
export async function removePairFiles(layout: StoreLayout): Promise<void> {
  const { monitorSocket, monitorInfo, monitorLock, keeperLock } = layout;
  for (const path of [monitorSocket, monitorInfo, monitorLock, keeperLock]) {
    await rm(path, { force: true });
  }
}
