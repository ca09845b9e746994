import { setTimeout as sleep } from 'node:timers/promises';
import { isSyscallError, tryLock } from '@pilotlight/scm-rights';
import { MonitorError, RootError } from '../../errors.ts';
import { startKeeper } from '../../keeper/start-keeper.ts';
import type { StoreLayout } from '../../layout.ts';
import { isLockHeld } from '../../supervision/hold-back.ts';
import { connectMonitor, type MonitorConnection } from './connect-monitor.ts';

export interface EnsureOptions {
  /** How long a pair that is started here stays with nothing to do, in milliseconds. */
  idleMs: number;
  signal?: AbortSignal | undefined;
}

const DEADLINE_MS = 30_000;
const FIRST_DELAY_MS = 2;
const LONGEST_DELAY_MS = 50;

/**
 * Connects to the monitor of a root, and starts it with its keeper if there is none. Of many that do so at the same time one
 * starts it. The caller closes the connection.
 *
 * Throws RootError if the root is gone, MonitorError, SyscallError, the signal's reason.
 */
export async function ensureMonitor(
  layout: StoreLayout,
  { idleMs, signal }: EnsureOptions,
): Promise<MonitorConnection> {
  const { root } = layout;
  const end = performance.now() + DEADLINE_MS;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
    signal?.throwIfAborted();
    const connection = await connectMonitor(layout, signal);
    if (connection !== undefined) return connection;
    if (performance.now() > end) {
      throw new MonitorError(root, `it does not listen after ${DEADLINE_MS} ms`);
    }
    if (await startIfFree(layout, idleMs)) continue;
    await sleep(delay, undefined, signal === undefined ? {} : { signal }).catch((error) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

/** False if somebody else starts it, restarts it, or is about to leave. */
async function startIfFree(layout: StoreLayout, idleMs: number): Promise<boolean> {
  // A monitor that has lost its keeper, and does not listen any more.
  if (isLockHeld(layout.monitorLock)) return false;
  let lock;
  try {
    lock = tryLock(layout.keeperLock, 'exclusive');
  } catch (error) {
    if (!isSyscallError(error, 'ENOENT')) throw error;
    throw new RootError(layout.root, `start the monitor of ${layout.root}: it does not exist`, {
      hint: 'It was removed because it was empty; try again.',
      cause: error,
    });
  }
  if (lock === undefined) return false;
  try {
    await startKeeper(lock, { root: layout.root, idleMs });
  } finally {
    lock.close();
  }
  return true;
}
