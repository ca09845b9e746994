import type { StoreLayout } from '../../layout.ts';
import type { SettledState } from '../wire/client-protocol.ts';
import { ask } from './ask.ts';
import { connectMonitor } from './connect-monitor.ts';

/**
 * Has the monitor record what can be recorded of a process now; undefined if no monitor listens. Starts none.
 *
 * Rejects with what the monitor met, MonitorError, SyscallError, the signal's reason.
 */
export async function askToSettle(
  layout: StoreLayout,
  key: string,
  signal?: AbortSignal,
): Promise<SettledState | undefined> {
  using connection = await connectMonitor(layout, signal);
  if (connection === undefined) return undefined;
  const { message } = await ask(layout.root, connection, { type: 'settle', key }, ['settled'], {
    signal,
  });
  return message.state;
}
