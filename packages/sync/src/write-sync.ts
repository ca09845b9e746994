import type { DialectCommon } from './dialects/dialect.ts';
import type { JsonValue } from './json/json-value.ts';
import type { AnyMessage, MessageChannel } from './message-channel.ts';

/** What {@link writeSync} adds to a bare type. */
export type WriteSyncOptions<File> = {
  /** The argument; see `message` of the dialect. */
  readonly arg?: JsonValue;
  /** Goes with the message where the dialect allows it. Borrowed: the caller closes it. */
  readonly file?: File;
};

/**
 * Sends one message by its type, with its argument and file where it has them.
 * Throws InvalidMessageError, before anything is sent, for an argument that the type does not have
 * or lacks; otherwise what `send` of the channel throws.
 */
export async function writeSync<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  dialect: Pick<DialectCommon<Message, string, string>, 'message'>,
  type: Message['type'],
  options: WriteSyncOptions<File> = {},
): Promise<void> {
  await channel.send(dialect.message(type, options.arg), options.file);
}
