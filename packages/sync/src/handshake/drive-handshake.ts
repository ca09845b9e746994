import { NoAnswerError, PeerGoneError } from '../errors.ts';
import type { AnyMessage, MessageChannel, Received } from '../message-channel.ts';
import { converse, type Conversation, type ConversationOptions } from './conversation.ts';
import type { HandshakeTable } from './handshake-table.ts';

/** What the parent says to a message. */
export type Answer<Message extends AnyMessage, File> = {
  readonly message: Message;
  /** Sent with the message and closed after that, on success and on failure. */
  readonly file?: File;
};

/**
 * What the parent does about one type of message: the work, and then the answer.
 * The file that came is the function's to close. `signal` is the deadline of the dialogue.
 */
export type Answerer<Message extends AnyMessage, File> = (
  received: Received<Message, File>,
  context: { readonly signal?: AbortSignal },
) => Answer<Message, File> | undefined | Promise<Answer<Message, File> | undefined>;

/** How a parent drives a handshake. */
export type DriveOptions<Message extends AnyMessage, File> = ConversationOptions<File> & {
  readonly table: HandshakeTable<Message['type']>;
  /** One for each type of message that the child may send and that has an answer. */
  readonly answers: { readonly [type in Message['type']]?: Answerer<Message, File> };
};

/**
 * The parent's end of a handshake, from its first message to end of file: receives, checks the
 * order, lets `answers` do the work, replies.
 *
 * It settles when the child has succeeded; the channel is still the caller's to close. Otherwise it closes the channel and every file it holds
 * and throws: PeerInitError when the child reported a failure, HandshakeError for what is out of
 * order or an early end of file, HandshakeAbortedError when the signal was aborted, NoAnswerError
 * for a message without an answer, and whatever an answer threw. A child that is gone when the
 * answer is sent may have left a reason: it is read first, and thrown in the place of PeerGoneError.
 * The caller still has to kill and reap the child.
 */
export async function driveHandshake<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  options: DriveOptions<NoInfer<Message>, NoInfer<File>>,
): Promise<void> {
  const conversation = converse(channel, options.table, 'parent', options);
  const dispose =
    options.disposeFile ?? ((file: File): void => (file as File & Disposable)[Symbol.dispose]());
  try {
    for (;;) {
      const received = await conversation.receive();
      if (received === undefined) return;
      const answer = await answerTo(received, options, dispose);
      if (answer === undefined) continue;
      try {
        await reply(conversation, answer);
      } finally {
        if (answer.file !== undefined) dispose(answer.file);
      }
    }
  } catch (error) {
    channel.close();
    throw error;
  }
}

async function answerTo<Message extends AnyMessage, File>(
  received: Received<Message, File>,
  { answers, signal }: DriveOptions<Message, File>,
  dispose: (file: File) => void,
): Promise<Answer<Message, File> | undefined> {
  const type: Message['type'] = received.message.type;
  const answer = answers[type];
  if (answer === undefined) {
    if (received.file !== undefined) dispose(received.file);
    throw new NoAnswerError(type);
  }
  return answer(received, signal === undefined ? {} : { signal });
}

async function reply<Message extends AnyMessage, File>(
  conversation: Conversation<Message, File>,
  { message, file }: Answer<Message, File>,
): Promise<void> {
  try {
    await conversation.send(message, file);
  } catch (error) {
    if (!(error instanceof PeerGoneError)) throw error;
    throw await lastWords(conversation, error);
  }
}

async function lastWords<Message extends AnyMessage, File>(
  conversation: Conversation<Message, File>,
  gone: PeerGoneError,
): Promise<unknown> {
  try {
    await conversation.receive();
  } catch (error) {
    // An end of file that was not due says nothing that PeerGoneError does not say better.
    if (error instanceof Error && 'code' in error && error.code === 'ERR_SYNC_PEER_ERROR') {
      return error;
    }
  }
  return gone;
}
