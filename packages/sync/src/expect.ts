import { decodeInitError, type InitErrorArg } from './args/init-error.ts';
import { EndOfSyncError, isSyncError, PeerInitError, UnexpectedTypeError } from './errors.ts';
import { excerpt } from './excerpt.ts';
import type { ReceivedSync, SyncChannel } from './sync-channel.ts';
import type { SyncType } from './sync-type.ts';

/** How a message is awaited. */
export type ExpectOptions<File> = {
  /** Aborts the wait; no message is lost. */
  readonly signal?: AbortSignal;
  /** Closes a file that came with a message that is refused. Files that are Disposable need none. */
  readonly disposeFile?: (file: File) => void | Promise<void>;
};

/**
 * Receives one message, which must be of an expected type.
 *
 * The caller owns the file that comes with it. A message of another type is refused with
 * UnexpectedTypeError after its file has been closed. procError, unless it is among the expected
 * types, becomes a thrown PeerInitError; end of file becomes EndOfSyncError. Whatever `receive`
 * of the channel throws passes through. If closing the refused file fails too, an
 * AggregateError keeps both, the refusal first.
 */
export async function expectSync<File extends Disposable>(
  channel: SyncChannel<File>,
  expected: SyncType | readonly SyncType[],
  options?: ExpectOptions<File>,
): Promise<ReceivedSync<File>>;
export async function expectSync<File>(
  channel: SyncChannel<File>,
  expected: SyncType | readonly SyncType[],
  options: ExpectOptions<File> & Required<Pick<ExpectOptions<File>, 'disposeFile'>>,
): Promise<ReceivedSync<File>>;
export async function expectSync<File>(
  channel: SyncChannel<File>,
  expected: SyncType | readonly SyncType[],
  options: ExpectOptions<File> = {},
): Promise<ReceivedSync<File>> {
  const types = typeof expected === 'string' ? [expected] : [...expected];
  const received = await channel.receive(
    options.signal === undefined ? {} : { signal: options.signal },
  );
  if (received === undefined) throw new EndOfSyncError(types);
  const { message } = received;
  if (types.includes(message.type)) return received;
  const refusal =
    message.type === 'procError'
      ? peerInitError(message.arg ?? '', types)
      : new UnexpectedTypeError(types, message.type);
  await disposeRefused(received, options, refusal);
  throw refusal;
}

/**
 * The error that a procError stands for, from its raw argument. An argument that cannot be decoded
 * still makes a PeerInitError, with the reason as its cause: that the peer failed is what counts.
 */
export function peerInitError(rawArg: string, expected: readonly SyncType[] = []): PeerInitError {
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
  { file }: ReceivedSync<File>,
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
