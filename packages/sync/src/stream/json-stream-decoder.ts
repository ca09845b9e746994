import { isSyncError, TruncatedObjectError } from '../errors.ts';
import { JsonObjectScanner } from './json-object-scanner.ts';

/** How long one object may be unless the reader says otherwise: 1 MiB. */
export const defaultMaxObjectBytes: number = 1024 * 1024;

/** How a stream is decoded. */
export type JsonStreamOptions = {
  /** The longest object accepted, in bytes; {@link defaultMaxObjectBytes} when absent. */
  readonly maxObjectBytes?: number;
};

/**
 * Cuts a byte stream into the JSON objects that stand on it back to back.
 *
 * One decoder serves a stream for its whole life: bytes behind an object are kept for the next
 * one. The bytes may come in any pieces, also cut inside a character or an escape. JSON whitespace
 * between objects means nothing. What it holds never exceeds the limit for one object.
 */
export class JsonStreamDecoder {
  readonly #scanner: JsonObjectScanner;
  #failure: Error | undefined;

  constructor(options: JsonStreamOptions = {}) {
    this.#scanner = new JsonObjectScanner(options.maxObjectBytes ?? defaultMaxObjectBytes);
  }

  /** The bytes of the object that has begun and not ended; 0 between objects. */
  get pendingBytes(): number {
    return this.#scanner.pendingBytes;
  }

  /** The bytes held in memory, never more than the limit. */
  get bufferBytes(): number {
    return this.#scanner.bufferBytes;
  }

  /**
   * Takes the next bytes and hands over the text of every object they complete, in order. The
   * bytes are not kept: the caller may reuse them.
   *
   * Throws MalformedObjectError or ObjectTooLargeError, after the objects before it were handed
   * over. There is no way to find the next object behind a broken one, so every later call throws
   * the same error.
   */
  push(bytes: Uint8Array, onObject: (object: string) => void): void {
    let at = 0;
    while (at < bytes.length) {
      const { object, next } = this.#guard(() => this.#scanner.scan(bytes, at));
      at = next;
      if (object !== undefined) onObject(object);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Takes bytes up to the end of the next object and gives its text, if it is whole, and how many
   * bytes of `bytes` were consumed; what follows is the caller's to read. Throws as `push` does.
   */
  pushOne(bytes: Uint8Array): { readonly object?: string; readonly consumed: number } {
    const { object, next } = this.#guard(() => this.#scanner.scan(bytes, 0));
    return object === undefined ? { consumed: next } : { object, consumed: next };
  }

  /** Ends the stream. Throws TruncatedObjectError when an object has begun and not ended. */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const pending = this.#scanner.pendingBytes;
    if (pending === 0) return;
    this.#failure = new TruncatedObjectError(
      `read an object from a byte stream: it ended after ${pending} bytes of the object`,
      pending,
    );
    throw this.#failure;
  }

  #guard<Result>(read: () => Result): Result {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return read();
    } catch (error) {
      if (isSyncError(error)) this.#failure = error;
      throw error;
    }
  }
}
