import type { FdLike } from '@pilotlight/scm-rights';
import { MonitorError } from '../errors.ts';
import { ask } from '../monitor/client/ask.ts';
import type { StoreContext } from './store-context.ts';

/** Gives the monitor a pidfd to hold; resolves when it and the keeper do. Throws MonitorError, the signal's reason. */
export async function adoptPidfd(
  { root, monitor }: StoreContext,
  key: string,
  pidfd: FdLike,
  signal?: AbortSignal,
): Promise<void> {
  const path = root.layout.root;
  if (monitor === undefined) throw new MonitorError(path, 'it cannot adopt from itself');
  using connection = await monitor.connect(signal);
  const question = { type: 'adopt', key, roles: ['pidfd' as const] } as const;
  await ask(path, connection, { ...question, roles: [...question.roles] }, ['adopted'], {
    fds: [pidfd],
    signal,
  });
}
