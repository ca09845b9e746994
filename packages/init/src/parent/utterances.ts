import { once } from 'node:events';
import type { Socket } from 'node:net';

const maxBytes = 4096;
/** For a pipe whose other end somebody else still holds. */
const patienceMs = 200;

/** The last of what a process of ours writes to its standard error, for the message of its error. */
export class Utterances {
  readonly #stream: Socket;
  #bytes = Buffer.alloc(0);

  constructor(stream: Socket) {
    this.#stream = stream;
    stream.on('data', (part: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, part]).subarray(-maxBytes);
    });
    stream.on('error', () => undefined);
    // Waiting for it keeps nobody's program from ending.
    stream.unref();
  }

  /** In one line. */
  get text(): string {
    return this.#bytes
      .toString()
      .trim()
      .replaceAll(/\s*\n\s*/g, ' / ');
  }

  /** After the process has ended: resolves when nothing more can come. */
  async complete(): Promise<void> {
    if (this.#stream.closed) return;
    this.#stream.ref();
    await once(this.#stream, 'close', { signal: AbortSignal.timeout(patienceMs) }).catch(
      () => undefined,
    );
  }

  close(): void {
    this.#stream.destroy();
  }
}
