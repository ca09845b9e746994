import { Readable, Writable } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';

/** The standard streams as the web has them; each is made when it is first asked for. */
export interface WebStreams {
  readonly stdin: WritableStream<Uint8Array> | null;
  readonly stdout: ReadableStream<Uint8Array> | null;
  readonly stderr: ReadableStream<Uint8Array> | null;
}

/** Views of Node streams. Once a view is made its Node stream belongs to it. */
export class WebViews implements WebStreams {
  readonly #node: { stdin: Writable | null; stdout: Readable | null; stderr: Readable | null };
  #stdin: WritableStream<Uint8Array> | undefined;
  #stdout: ReadableStream<Uint8Array> | undefined;
  #stderr: ReadableStream<Uint8Array> | undefined;

  constructor(node: { stdin: Writable | null; stdout: Readable | null; stderr: Readable | null }) {
    this.#node = node;
  }

  get stdin(): WritableStream<Uint8Array> | null {
    const { stdin } = this.#node;
    return stdin === null ? null : (this.#stdin ??= Writable.toWeb(stdin));
  }

  get stdout(): ReadableStream<Uint8Array> | null {
    const { stdout } = this.#node;
    return stdout === null ? null : (this.#stdout ??= bytesOf(stdout));
  }

  get stderr(): ReadableStream<Uint8Array> | null {
    const { stderr } = this.#node;
    return stderr === null ? null : (this.#stderr ??= bytesOf(stderr));
  }
}

const bytesOf = (stream: Readable): ReadableStream<Uint8Array> =>
  Readable.toWeb(stream) as ReadableStream<Uint8Array>;
