import type { StreamDialect } from '../dialects/dialect.ts';
import { dialects } from '../dialects/dialects.ts';
import { isSyncError } from '../errors.ts';
import type { AnyMessage } from '../message-channel.ts';
import type { ByteStream, ReceivedBytes } from '../stream/byte-stream.ts';
import { JsonStreamDecoder, type JsonStreamOptions } from '../stream/json-stream-decoder.ts';
import type { SyncEnd } from '../sync-type.ts';
import { toBase64 } from './base64.ts';
import { Recorder, type TapOptions, type TranscriptSink } from './recorder.ts';
import type { TranscriptMessage } from './transcript-line.ts';

/**
 * The same byte stream, with every piece that is written or read put into a transcript as it is,
 * beside the messages that it completes. Bytes that are no message of the dialect are recorded all
 * the same, with the reason; from there on that direction is recorded without being decoded.
 * Throws TypeError for a dialect of packets.
 */
export function tapByteStream<File>(
  stream: ByteStream<File>,
  sink: TranscriptSink,
  options: TapOptions<File> & JsonStreamOptions,
): ByteStream<File> {
  const dialect = dialects[options.dialect];
  if (dialect.framing !== 'stream') {
    throw new TypeError(`tap a byte stream: ${dialect.name} is a dialect of packets`);
  }
  const recorder = new Recorder(sink, options);
  const { end } = options;
  const peer: SyncEnd = end === 'parent' ? 'child' : 'parent';
  const written = new PieceDecoder(dialect, options);
  const read = new PieceDecoder(dialect, options);
  return {
    async write(bytes: Uint8Array, file?: File): Promise<void> {
      // Before it is written, so that no answer to it can stand in front of it.
      recorder.bytes({ from: end, file, ...written.decode(bytes, file !== undefined) });
      try {
        await (file === undefined ? stream.write(bytes) : stream.write(bytes, file));
      } catch (error) {
        recorder.failed(end, error);
        throw error;
      }
    },
    async read(): Promise<ReceivedBytes<File> | undefined> {
      const received = await stream.read().catch((error: unknown) => {
        recorder.failed(peer, error);
        throw error;
      });
      if (received === undefined) {
        recorder.ended(peer);
      } else {
        const { bytes, file } = received;
        recorder.bytes({ from: peer, file, ...read.decode(bytes, file !== undefined) });
      }
      return received;
    },
    close(): void {
      stream.close();
      recorder.ended(end);
    },
  };
}

type Decoded = {
  readonly raw: string;
  readonly messages: readonly TranscriptMessage[];
  readonly undecoded?: string;
};

class PieceDecoder {
  readonly #dialect: StreamDialect;
  readonly #decoder: JsonStreamDecoder;
  #announced: AnyMessage | undefined;
  #broken = false;
  #inName = false;

  constructor(dialect: StreamDialect, options: JsonStreamOptions) {
    this.#dialect = dialect;
    this.#decoder = new JsonStreamDecoder(options);
  }

  decode(bytes: Uint8Array, withFile: boolean): Decoded {
    const raw = toBase64(bytes);
    const messages: TranscriptMessage[] = [];
    // Bytes that carry a file are its name, up to a zero byte, and no message.
    if (withFile) this.#inName = true;
    const rest = this.#inName ? this.#behindName(bytes) : bytes;
    if (this.#broken || rest.length === 0) return { raw, messages };
    try {
      this.#decoder.push(rest, (object) => {
        const message = this.#take(object);
        if (message !== undefined) messages.push(message);
      });
      return { raw, messages };
    } catch (error) {
      if (!isSyncError(error)) throw error;
      this.#broken = true;
      return { raw, messages, undecoded: error.message };
    }
  }

  #behindName(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(0);
    this.#inName = end === -1;
    return bytes.subarray(end === -1 ? bytes.length : end + 1);
  }

  #take(object: string): AnyMessage | undefined {
    const announced = this.#announced;
    const message =
      announced === undefined
        ? this.#dialect.decode(object)
        : this.#dialect.withPayload(announced, object);
    this.#announced = this.#dialect.payloadFollows(message) ? message : undefined;
    return this.#announced === undefined ? message : undefined;
  }
}
