import type { StreamDialect } from '../dialects/dialect.ts';
import {
  ChannelClosedError,
  EndOfSyncError,
  MalformedObjectError,
  PeerGoneError,
  TruncatedObjectError,
  UnexpectedFileError,
} from '../errors.ts';
import type { AnyMessage, MessageChannel, Received } from '../message-channel.ts';
import type { ByteStream, ReceivedBytes } from './byte-stream.ts';
import { JsonStreamDecoder, type JsonStreamOptions } from './json-stream-decoder.ts';

/** How a stream channel reads. */
export type StreamChannelOptions<File> = JsonStreamOptions & {
  /** Bytes of the stream that were read before the channel was made. */
  readonly alreadyRead?: Uint8Array;
  /** Closes a file that is refused. Files that are Disposable need none. */
  readonly disposeFile?: (file: File) => void;
};

/** A file that came on the stream between messages, and the name it came with. */
export type NamedFile<File> = { readonly name: string; readonly file: File };

/**
 * A conversation over a byte stream. It has one decoder for its whole life.
 *
 * What arrives and is no message (MalformedObjectError, ObjectTooLargeError, TruncatedObjectError,
 * UnexpectedFileError) ends its use for reading: nobody can tell where the next message would
 * begin, so every later `receive` fails with the same error.
 */
export interface StreamChannel<Message extends AnyMessage, File = never> extends MessageChannel<
  Message,
  File
> {
  readonly dialect: StreamDialect<Message>;

  /**
   * Sends a file with its name and one zero byte as the payload, as the console era does behind
   * procConsoleReq. The file is borrowed.
   */
  sendFile(name: string, file: File): Promise<void>;

  /**
   * The file that the peer sends next, and its name. Call it where a file is due, with no `receive`
   * pending. The caller owns the file. Fails with MalformedObjectError for anything else that
   * comes, with EndOfSyncError at end of file.
   */
  receiveFile(): Promise<NamedFile<File>>;
}

/**
 * The channel of a dialect over a byte stream. The channel owns the stream and closes it.
 * A failed write becomes PeerGoneError, its reason being the cause: go on receiving, the peer's
 * last words may be there.
 */
export function createStreamChannel<Message extends AnyMessage, File = never>(
  stream: ByteStream<File>,
  dialect: StreamDialect<Message>,
  options: StreamChannelOptions<File> = {},
): StreamChannel<Message, File> {
  return new ByteStreamChannel(stream, dialect, options);
}

/** The longest name of a file: the original's buffer of 4096 bytes holds it and its zero byte. */
const maxNameBytes = 4095;

type Waiter<Message extends AnyMessage, File> = {
  resolve(received: Received<Message, File> | undefined): void;
  reject(error: unknown): void;
};

class ByteStreamChannel<Message extends AnyMessage, File> implements StreamChannel<Message, File> {
  readonly dialect: StreamDialect<Message>;
  readonly #stream: ByteStream<File>;
  readonly #decoder: JsonStreamDecoder;
  readonly #disposeFile: (file: File) => void;
  readonly #arrived: Message[] = [];
  readonly #waiters: Waiter<Message, File>[] = [];
  /** A message that still waits for its error object. */
  #announced: Message | undefined;
  #unread: Uint8Array | undefined;
  #sending: Promise<void> = Promise.resolve();
  #reading = false;
  #ended = false;
  #failure: unknown;
  #closed = false;

  constructor(
    stream: ByteStream<File>,
    dialect: StreamDialect<Message>,
    options: StreamChannelOptions<File>,
  ) {
    this.dialect = dialect;
    this.#stream = stream;
    this.#decoder = new JsonStreamDecoder(options);
    this.#disposeFile = options.disposeFile ?? disposeDisposable;
    this.#unread = options.alreadyRead;
  }

  async send(message: Message, file?: File): Promise<void> {
    if (this.#closed) throw new ChannelClosedError('send');
    if (file !== undefined) {
      throw new TypeError(`send ${message.type}: no message of ${this.dialect.name} has a file`);
    }
    const writes = this.dialect.encode(message);
    await this.#write(message.type, async () => {
      for (const bytes of writes) await this.#stream.write(bytes);
    });
  }

  async sendFile(name: string, file: File): Promise<void> {
    if (this.#closed) throw new ChannelClosedError('send');
    const bytes = new TextEncoder().encode(`${name}\0`);
    if (name.includes('\0') || bytes.length > maxNameBytes + 1) {
      throw new RangeError(
        `send a file: its name must be at most ${maxNameBytes} bytes without a zero byte`,
      );
    }
    await this.#write('a file', () => this.#stream.write(bytes, file));
  }

  async receive(
    options: { signal?: AbortSignal } = {},
  ): Promise<Received<Message, File> | undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new ChannelClosedError('receive');
    const { promise, ...waiter } = Promise.withResolvers<Received<Message, File> | undefined>();
    const abort = (): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at === -1) return;
      this.#waiters.splice(at, 1);
      waiter.reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    this.#waiters.push(waiter);
    void this.#serve();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async receiveFile(): Promise<NamedFile<File>> {
    if (this.#closed) throw new ChannelClosedError('receive');
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#reading || this.#arrived.length > 0 || this.#decoder.pendingBytes > 0) {
      throw this.#fail(
        new MalformedObjectError('receive a file: other bytes stand before it on the stream'),
      );
    }
    this.#reading = true;
    let file: File | undefined;
    try {
      const first = await this.#read();
      if (first === undefined) {
        this.#ended = true;
        throw new EndOfSyncError(['a file']);
      }
      file = first.file;
      if (file === undefined) {
        throw this.#fail(new MalformedObjectError('receive a file: bytes came without one'));
      }
      const name = await this.#readName(first.bytes);
      if (this.#closed) throw new ChannelClosedError('receive');
      return { name, file };
    } catch (error) {
      if (file !== undefined) this.#disposeFile(file);
      throw error;
    } finally {
      this.#reading = false;
      void this.#serve();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new ChannelClosedError('receive'));
  }

  async #write(what: string, write: () => Promise<void>): Promise<void> {
    // One message at a time, so that nothing comes between procError and its error object.
    const turn = this.#sending.then(write);
    this.#sending = turn.catch(() => undefined);
    try {
      await turn;
    } catch (cause) {
      if (this.#closed) throw new ChannelClosedError('send', { cause });
      throw new PeerGoneError(what, { cause });
    }
  }

  /** Reads only while somebody waits, and hands out what arrived in the order it was asked for. */
  async #serve(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#handOut()) await this.#readOn();
    } finally {
      this.#reading = false;
    }
  }

  /** Whether somebody still waits for what has not arrived. */
  #handOut(): boolean {
    while (this.#waiters.length > 0) {
      const message = this.#arrived.shift();
      if (message === undefined && this.#failure === undefined && !this.#ended) return true;
      const waiter = this.#waiters.shift();
      if (message !== undefined) waiter?.resolve({ message });
      else if (this.#failure !== undefined) waiter?.reject(this.#failure);
      else waiter?.resolve(undefined);
    }
    return false;
  }

  async #readOn(): Promise<void> {
    try {
      const received = await this.#read();
      if (received === undefined) {
        this.#decoder.end();
        this.#requirePayload();
        this.#ended = true;
        return;
      }
      if (received.file !== undefined) {
        this.#disposeFile(received.file);
        throw new UnexpectedFileError(`a message of ${this.dialect.name}`);
      }
      this.#decoder.push(received.bytes, (object) => this.#take(object));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #read(): Promise<ReceivedBytes<File> | undefined> {
    const bytes = this.#unread;
    this.#unread = undefined;
    return bytes !== undefined && bytes.length > 0 ? { bytes } : this.#stream.read();
  }

  async #readName(first: Uint8Array): Promise<string> {
    let bytes = first;
    for (;;) {
      const end = bytes.indexOf(0);
      if (end > maxNameBytes || (end === -1 && bytes.length > maxNameBytes)) {
        throw this.#fail(
          new MalformedObjectError(`receive a file: its name is longer than ${maxNameBytes} bytes`),
        );
      }
      if (end !== -1) {
        this.#unread = bytes.subarray(end + 1);
        return new TextDecoder().decode(bytes.subarray(0, end));
      }
      const more = await this.#read();
      if (more === undefined) {
        throw this.#fail(
          new TruncatedObjectError('receive a file: the stream ended in its name', bytes.length),
        );
      }
      if (more.file !== undefined) {
        this.#disposeFile(more.file);
        throw this.#fail(new UnexpectedFileError('the name of a file'));
      }
      const joined = new Uint8Array(bytes.length + more.bytes.length);
      joined.set(bytes);
      joined.set(more.bytes, bytes.length);
      bytes = joined;
    }
  }

  #take(object: string): void {
    const announced = this.#announced;
    const message =
      announced === undefined
        ? this.dialect.decode(object)
        : this.dialect.withPayload(announced, object);
    this.#announced = undefined;
    if (this.dialect.payloadFollows(message)) this.#announced = message;
    else this.#arrived.push(message);
  }

  #requirePayload(): void {
    if (this.#announced === undefined) return;
    throw new TruncatedObjectError(
      `receive ${this.#announced.type}: the stream ended before its error object`,
      0,
    );
  }

  #fail(error: unknown): unknown {
    this.#failure ??= error;
    return error;
  }
}

function disposeDisposable(file: unknown): void {
  (file as Disposable)[Symbol.dispose]();
}
