import { JsonError, MalformedObjectError, ObjectTooLargeError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { maxJsonDepth } from '../json/json-value.ts';
import { endOfValue } from '../json/scan.ts';

/** The text of an object that has ended, if one has, and the offset behind what was consumed. */
export type ScannedObject = { readonly object?: string; readonly next: number };

/**
 * Finds where JSON objects end in bytes that arrive in any pieces.
 *
 * Every byte is looked at once for its place (string, escape, depth) and copied at most a
 * logarithmic number of times, so the work grows linearly with the input. The buffer grows by
 * doubling and never beyond the limit. Grammar and UTF-8 are checked when the object is whole:
 * only then can no character be cut in two.
 */
export class JsonObjectScanner {
  readonly #maxObjectBytes: number;
  #buffer: Uint8Array = new Uint8Array(0);
  #length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(maxObjectBytes: number) {
    this.#maxObjectBytes = maxObjectBytes;
  }

  /** The bytes of the object that has begun and not ended; 0 between objects. */
  get pendingBytes(): number {
    return this.#length;
  }

  /** The bytes held in memory, never more than the limit. */
  get bufferBytes(): number {
    return this.#buffer.byteLength;
  }

  /**
   * Reads on from `from` to the end of the next object, or to the end of the bytes.
   * The bytes are not kept. Throws MalformedObjectError for what cannot be an object and
   * ObjectTooLargeError for one beyond the limit; after that the scanner must not be used again.
   */
  scan(bytes: Uint8Array, from: number): ScannedObject {
    let at = from;
    if (this.#depth === 0) {
      at = skipWhitespace(bytes, at);
      if (at === bytes.length) return { next: at };
      if (bytes[at] !== openBrace) {
        throw malformed(`expected an object, found ${describe(bytes, at)}`);
      }
    }
    const end = this.#endOfObject(bytes, at);
    const piece = bytes.subarray(at, end ?? bytes.length);
    if (this.#length + piece.length > this.#maxObjectBytes) {
      throw new ObjectTooLargeError(this.#maxObjectBytes);
    }
    if (end === undefined) {
      this.#keep(piece);
      return { next: bytes.length };
    }
    if (this.#length === 0) return { object: decodeObject(piece), next: end };
    this.#keep(piece);
    const whole = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return { object: decodeObject(whole), next: end };
  }

  #endOfObject(bytes: Uint8Array, start: number): number | undefined {
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
      } else if (byte === quote) {
        this.#inString = true;
      } else if (byte === openBrace || byte === openBracket) {
        this.#depth += 1;
        if (this.#depth > maxJsonDepth + 1) {
          throw malformed(`it nests deeper than ${maxJsonDepth} levels`);
        }
      } else if (byte === closeBrace || byte === closeBracket) {
        // Whether the bracket fits its opener is the grammar's business, once the object is whole.
        this.#depth -= 1;
        if (this.#depth === 0) return at + 1;
      }
    }
    return undefined;
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#buffer.length) {
      const size = Math.min(this.#maxObjectBytes, Math.max(needed, this.#buffer.length * 2, 512));
      const grown = new Uint8Array(size);
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = needed;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

function skipWhitespace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}

function decodeObject(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw malformed('it is not UTF-8', cause);
  }
  let end: number;
  try {
    end = endOfValue(text, 0);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw malformed(`it is not JSON: ${excerpt(text)}`, cause);
  }
  if (end !== text.length) throw malformed(`its brackets do not pair: ${excerpt(text)}`);
  return text;
}

function describe(bytes: Uint8Array, at: number): string {
  const byte = bytes[at] as number;
  if (byte > 0x20 && byte < 0x7f) return JSON.stringify(String.fromCharCode(byte));
  return `the byte 0x${byte.toString(16).padStart(2, '0')}`;
}

function malformed(reason: string, cause?: unknown): MalformedObjectError {
  return new MalformedObjectError(
    `read an object from a byte stream: ${reason}`,
    cause === undefined ? undefined : { cause },
  );
}
