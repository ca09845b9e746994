import { closeAll, type FdLike } from '@pilotlight/scm-rights';
import { MonitorError } from '../../errors.ts';
import type { ClientMessage, MonitorMessage } from '../wire/client-protocol.ts';
import type { Received } from '../wire/packets.ts';
import { fromWireError } from '../wire/wire-error.ts';
import type { MonitorConnection } from './connect-monitor.ts';

/** An answer of one kind. */
export type Answer<Type extends MonitorMessage['type']> = Received<
  Extract<MonitorMessage, { type: Type }>
>;

/**
 * Asks one question and waits for the answer; the caller closes the descriptors in it.
 *
 * Rejects with what the monitor failed with, with MonitorError when it ends or answers something else, with the signal's
 * reason.
 */
export async function ask<Type extends MonitorMessage['type']>(
  root: string,
  connection: MonitorConnection,
  question: ClientMessage,
  expected: readonly Type[],
  options: { fds?: readonly FdLike[]; signal?: AbortSignal | undefined } = {},
): Promise<Answer<Type>> {
  const { fds = [], signal } = options;
  await connection.send(question, fds, { signal });
  return answer(root, connection, expected, signal);
}

/** Waits for the next message, which must be one of those. Rejects as {@link ask} does. */
export async function answer<Type extends MonitorMessage['type']>(
  root: string,
  connection: MonitorConnection,
  expected: readonly Type[],
  signal?: AbortSignal,
): Promise<Answer<Type>> {
  const received = await connection.receive({ signal });
  if (received === undefined) throw new MonitorError(root, 'it has ended');
  const { message } = received;
  if ((expected as readonly string[]).includes(message.type)) return received as Answer<Type>;
  closeAll(received.fds);
  if (message.type === 'failed') throw await fromWireError(message.error);
  throw new MonitorError(root, `it answered ${message.type} instead of ${expected.join(' or ')}`);
}
