import { HandshakeAbortedError, PeerGoneError } from '../errors.ts';
import { reportedFailure } from '../expect.ts';
import type { AnyMessage, MessageChannel, Received } from '../message-channel.ts';
import type { SyncEnd } from '../sync-type.ts';
import type { HandshakeTable } from './handshake-table.ts';
import { createHandshake, type Handshake } from './handshake.ts';

/** How a conversation is held. */
export type ConversationOptions<File> = {
  /** The deadline of the whole dialogue, for example `AbortSignal.timeout(10_000)`. */
  readonly signal?: AbortSignal;
  /** Closes a file that came with a refused message. Files that are Disposable need none. */
  readonly disposeFile?: (file: File) => void;
};

/**
 * A channel that follows the dialogue of a table and lets nothing else pass, in either direction.
 *
 * `receive` throws HandshakeError for a message or an end of file that is not due, PeerInitError
 * for a reported failure, HandshakeAbortedError when the signal is aborted; `send` throws
 * HandshakeError before anything is sent. A refused file is closed. After every failure the
 * channel is closed, with two exceptions, after which the last words can still be received:
 * PeerGoneError, and what `send` refused.
 */
export type Conversation<Message extends AnyMessage, File> = MessageChannel<Message, File> & {
  readonly handshake: Handshake<Message['type']>;
  /** Sends a message and awaits what comes next, which the table makes its answer. */
  request(message: Message, file?: File): Promise<Received<Message, File> | undefined>;
};

/**
 * Holds the dialogue of a table over a channel, for the end that the caller is.
 * Throws RangeError for a table that is not sound, as `createHandshake` does.
 */
export function converse<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  table: HandshakeTable<Message['type']>,
  end: SyncEnd,
  options: ConversationOptions<File> = {},
): Conversation<Message, File> {
  return new TableConversation(channel, table, end, options);
}

class TableConversation<Message extends AnyMessage, File> implements Conversation<Message, File> {
  readonly handshake: Handshake<Message['type']>;
  readonly #channel: MessageChannel<Message, File>;
  readonly #name: string;
  readonly #options: ConversationOptions<File>;

  constructor(
    channel: MessageChannel<Message, File>,
    table: HandshakeTable<Message['type']>,
    end: SyncEnd,
    options: ConversationOptions<File>,
  ) {
    this.handshake = createHandshake(table, end);
    this.#channel = channel;
    this.#name = table.name;
    this.#options = options;
  }

  async send(message: Message, file?: File): Promise<void> {
    const { due } = this.handshake;
    this.handshake.sent(message.type);
    try {
      await this.#untilAborted(() => this.#channel.send(message, file), due);
    } catch (error) {
      if (!(error instanceof PeerGoneError)) this.close();
      throw error;
    }
  }

  async receive(
    options: { signal?: AbortSignal } = {},
  ): Promise<Received<Message, File> | undefined> {
    try {
      const received = await this.#untilAborted(
        () => this.#channel.receive(options),
        this.handshake.due,
        (late) => this.#disposeLate(late),
      );
      if (received === undefined) {
        this.handshake.ended();
        return undefined;
      }
      this.#accept(received);
      return received;
    } catch (error) {
      // The caller's own patience for this one call is no failure of the dialogue.
      if (options.signal?.aborted !== true || error !== options.signal.reason) this.close();
      throw error;
    }
  }

  async request(message: Message, file?: File): Promise<Received<Message, File> | undefined> {
    await this.send(message, file);
    return this.receive();
  }

  close(): void {
    this.#channel.close();
  }

  #accept({ message, file }: Received<Message, File>): void {
    const expected = this.handshake.expected;
    try {
      this.handshake.received(message.type);
      const failure = reportedFailure(message, expected);
      if (failure !== undefined) throw failure;
    } catch (refusal) {
      if (file !== undefined) this.#disposeRefused(file, refusal);
      throw refusal;
    }
  }

  #disposeRefused(file: File, refusal: unknown): void {
    const { disposeFile } = this.#options;
    try {
      if (disposeFile === undefined) (file as File & Disposable)[Symbol.dispose]();
      else disposeFile(file);
    } catch (failure) {
      throw new AggregateError(
        [refusal, failure],
        `${refusal instanceof Error ? refusal.message : String(refusal)}; closing its file failed too`,
        { cause: failure },
      );
    }
  }

  #disposeLate(received: Received<Message, File> | undefined): void {
    const file = received?.file;
    if (file === undefined) return;
    const { disposeFile } = this.#options;
    if (disposeFile === undefined) (file as File & Disposable)[Symbol.dispose]();
    else disposeFile(file);
  }

  async #untilAborted<Result>(
    act: () => Promise<Result>,
    expected: readonly string[],
    disposeLate?: (result: Result) => void,
  ): Promise<Result> {
    const { signal } = this.#options;
    if (signal === undefined) return act();
    const abort = (): HandshakeAbortedError =>
      new HandshakeAbortedError(
        { handshake: this.#name, step: this.handshake.step, expected },
        { cause: signal.reason },
      );
    if (signal.aborted) throw abort();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    // Closing the channel settles the call that is under way, and closes a file it was about to give.
    let late = false;
    const onAbort = (): void => {
      late = true;
      reject(abort());
      this.close();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const acting = act();
      // A message may have been on its way to us when the signal fired: its file is still ours.
      acting.then(
        (result) => late && disposeLate?.(result),
        () => undefined,
      );
      return await Promise.race([acting, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
