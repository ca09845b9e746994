import type { PacketDialect, StreamDialect } from '../dialects/dialect.ts';
import { dialects } from '../dialects/dialects.ts';
import { isSyncError } from '../errors.ts';
import type { AnyMessage, MessageChannel, Received } from '../message-channel.ts';
import { agreeFileFlag } from '../sync-flags.ts';
import type { SyncMessage } from '../sync-message.ts';
import type { SyncEnd } from '../sync-type.ts';
import { toBase64 } from './base64.ts';
import { Recorder, type TapOptions, type TranscriptSink } from './recorder.ts';
import type { TranscriptMessage } from './transcript-line.ts';

/**
 * The same channel, with every message that passes written to a transcript: what this end
 * sends before it is sent, what it receives before it is handed out, end of file, and failures.
 * What is no message of the dialect is not sent, and leaves a failure alone.
 *
 * The raw bytes are those that the dialect writes for the message; where a peer writes the same
 * message in other words, only `tapByteStream` sees them. A signal that is aborted is no failure.
 */
export function tapChannel<Message extends AnyMessage, File>(
  channel: MessageChannel<Message, File>,
  sink: TranscriptSink,
  options: TapOptions<File>,
): MessageChannel<Message, File> {
  const recorder = new Recorder(sink, options);
  const { end, dialect } = options;
  const peer: SyncEnd = end === 'parent' ? 'child' : 'parent';
  return {
    async send(message: Message, file?: File): Promise<void> {
      const bytes = encoded(dialect, message, file !== undefined);
      // Before it is sent, so that no answer to it can stand in front of it.
      if (bytes.undecoded === undefined) recorder.bytes({ from: end, file, ...bytes });
      try {
        await (file === undefined ? channel.send(message) : channel.send(message, file));
      } catch (error) {
        recorder.failed(end, error);
        throw error;
      }
      if (bytes.undecoded !== undefined) recorder.bytes({ from: end, file, ...bytes });
    },
    async receive(receiveOptions?: {
      signal?: AbortSignal;
    }): Promise<Received<Message, File> | undefined> {
      try {
        const received = await channel.receive(receiveOptions);
        if (received === undefined) {
          recorder.ended(peer);
        } else {
          const { message, file } = received;
          recorder.bytes({ from: peer, file, ...encoded(dialect, message, file !== undefined) });
        }
        return received;
      } catch (error) {
        if (isSyncError(error)) recorder.failed(peer, error);
        throw error;
      }
    },
    close(): void {
      channel.close();
      recorder.ended(end);
    },
  };
}

function encoded(
  name: TapOptions<never>['dialect'],
  message: AnyMessage,
  withFile: boolean,
): { raw: string; messages: readonly TranscriptMessage[]; undecoded?: string } {
  const dialect = dialects[name] as unknown as PacketDialect | StreamDialect;
  const sent =
    dialect.framing === 'packet' ? agreeFileFlag(message as SyncMessage, withFile) : message;
  const messages = [sent as TranscriptMessage];
  try {
    const bytes = dialect.encode(sent);
    return { raw: toBase64(bytes instanceof Uint8Array ? bytes : joined(bytes)), messages };
  } catch (error) {
    // Only a message of another dialect than the one that was named has no bytes.
    return { raw: '', messages, undecoded: error instanceof Error ? error.message : String(error) };
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
