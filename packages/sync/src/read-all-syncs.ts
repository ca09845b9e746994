import { reportedFailure } from './expect.ts';
import type { AnyMessage, MessageChannel, Received } from './message-channel.ts';

/**
 * Every message until end of file, for `for await`. Each file is the loop's to close.
 * A reported failure (procError, or `error` of embedshim) is thrown as PeerInitError; what
 * `receive` of the channel throws passes through. Leaving the loop early leaves the channel open.
 */
export async function* allSyncs<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Received<Message, File>, void, undefined> {
  for (;;) {
    const received = await channel.receive(options);
    if (received === undefined) return;
    // No dialect lets a failure carry a file.
    const failure = reportedFailure(received.message);
    if (failure !== undefined) throw failure;
    yield received;
  }
}

/**
 * Hands every message to a function, one after the other, until end of file. Each file is the
 * function's to close. What the function throws ends the reading; see {@link allSyncs} for the rest.
 */
export async function readAllSyncs<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  onMessage: (received: Received<Message, File>) => void | Promise<void>,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  for await (const received of allSyncs(channel, options)) await onMessage(received);
}
