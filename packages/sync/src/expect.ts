import { decodeInitError, type InitErrorArg } from './args/init-error.ts';
import { EndOfSyncError, isSyncError, PeerInitError, UnexpectedTypeError } from './errors.ts';
import { excerpt } from './excerpt.ts';
import { stringifyExactJson } from './json/stringify.ts';
import type { AnyMessage, MessageChannel, Received } from './message-channel.ts';

/** How a message is awaited. */
export type ExpectOptions<File> = {
  /** Aborts the wait; no message is lost. */
  readonly signal?: AbortSignal;
  /** Closes a file that came with a message that is refused. Files that are Disposable need none. */
  readonly disposeFile?: (file: File) => void | Promise<void>;
};

/**
 * Receives one message, which must be of an expected type, in any dialect.
 *
 * The caller owns the file that comes with it. A message of another type is refused with
 * UnexpectedTypeError after its file has been closed. A reported failure (procError, or `error` of
 * embedshim), unless it is among the expected types, becomes a thrown PeerInitError; end of file
 * becomes EndOfSyncError. Whatever `receive` of the channel throws passes through. If closing the
 * refused file fails too, an AggregateError keeps both, the refusal first.
 */
export async function expectSync<
  Message extends AnyMessage,
  Type extends Message['type'],
  File extends Disposable,
>(
  channel: MessageChannel<Message, File>,
  expected: Type | readonly Type[],
  options?: ExpectOptions<File>,
): Promise<Received<Message & { readonly type: Type }, File>>;
export async function expectSync<Message extends AnyMessage, Type extends Message['type'], File>(
  channel: MessageChannel<Message, File>,
  expected: Type | readonly Type[],
  options: ExpectOptions<File> & Required<Pick<ExpectOptions<File>, 'disposeFile'>>,
): Promise<Received<Message & { readonly type: Type }, File>>;
export async function expectSync<Message extends AnyMessage, Type extends Message['type'], File>(
  channel: MessageChannel<Message, File>,
  expected: Type | readonly Type[],
  options: ExpectOptions<File> = {},
): Promise<Received<Message & { readonly type: Type }, File>> {
  const types = typeof expected === 'string' ? [expected] : [...expected];
  const received = await channel.receive(
    options.signal === undefined ? {} : { signal: options.signal },
  );
  if (received === undefined) throw new EndOfSyncError(types);
  const { message } = received;
  if (types.some((type) => type === message.type)) {
    return received as Received<Message & { readonly type: Type }, File>;
  }
  const refusal = reportedFailure(message, types) ?? new UnexpectedTypeError(types, message.type);
  await disposeRefused(received, options, refusal);
  throw refusal;
}

/**
 * The error that a message stands for, if it reports a failure: procError of every runc, or
 * `error` of embedshim. Undefined for other messages.
 */
export function reportedFailure(
  message: AnyMessage,
  expected: readonly string[] = [],
): PeerInitError | undefined {
  const { type, arg, message: text } = message as AnyMessage & { arg?: unknown; message?: unknown };
  if (type === 'procError') return peerInitError(typeof arg === 'string' ? arg : '', expected);
  if (type === 'error' && typeof text === 'string') {
    return peerInitError(stringifyExactJson({ message: text }), expected);
  }
  return undefined;
}

/**
 * The error that a procError stands for, from its raw argument. An argument that cannot be decoded
 * still makes a PeerInitError, with the reason as its cause: that the peer failed is what counts.
 */
export function peerInitError(rawArg: string, expected: readonly string[] = []): PeerInitError {
  let arg: InitErrorArg;
  try {
    arg = decodeInitError(rawArg);
  } catch (cause) {
    if (!isSyncError(cause)) throw cause;
    return new PeerInitError(
      `the child failed, and its reason cannot be read: ${excerpt(rawArg)}`,
      { text: '', rawArg, expected },
      { cause },
    );
  }
  const text = arg.message;
  return new PeerInitError(
    text === '' ? 'the child failed and gave no reason' : `the child failed: ${bounded(text)}`,
    { text, arg, rawArg, expected },
  );
}

async function disposeRefused<File>(
  { file }: { readonly file?: File },
  { disposeFile }: ExpectOptions<File>,
  refusal: Error,
): Promise<void> {
  if (file === undefined) return;
  try {
    if (disposeFile === undefined) (file as File & Disposable)[Symbol.dispose]();
    else await disposeFile(file);
  } catch (failure) {
    throw new AggregateError(
      [refusal, failure],
      `${refusal.message}; closing its file failed too`,
      {
        cause: failure,
      },
    );
  }
}

const maxTextCharacters = 1000;

function bounded(text: string): string {
  if (text.length <= maxTextCharacters) return text;
  return `${text.slice(0, maxTextCharacters)}… (${text.length} characters)`;
}
