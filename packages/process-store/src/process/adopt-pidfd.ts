import type { FdLike } from '@pilotlight/scm-rights';
import { isStoreError, MonitorError } from '../errors.ts';
import { ask } from '../monitor/client/ask.ts';
import type { ClientMessage } from '../monitor/wire/client-protocol.ts';
import type { StoreContext } from './store-context.ts';

const ATTEMPTS = 3;

/** Gives the monitor a pidfd to hold; resolves when it and the keeper do. Throws MonitorError, the signal's reason. */
export async function adoptPidfd(
  { root, monitor }: StoreContext,
  key: string,
  pidfd: FdLike,
  signal?: AbortSignal,
): Promise<void> {
  const path = root.layout.root;
  if (monitor === undefined) throw new MonitorError(path, 'it cannot adopt from itself');
  for (let attempt = 1; ; attempt++) {
    using connection = await monitor.connect(signal);
    try {
      const question: ClientMessage = { type: 'adopt', key, roles: ['pidfd'] };
      await ask(path, connection, question, ['adopted'], { fds: [pidfd], signal });
      return;
    } catch (error) {
      // It was about to leave, or has died: the next one holds it as well.
      if (!isStoreError(error, 'ERR_STORE_MONITOR') || attempt === ATTEMPTS) throw error;
    }
  }
}
