import type { ByteStream, ReceivedBytes } from '../stream/byte-stream.ts';
import type { MemoryFile } from './memory-file.ts';

/** Two connected byte streams in memory. */
export type MemoryStreamPair = {
  readonly parent: ByteStream<MemoryFile>;
  readonly child: ByteStream<MemoryFile>;
};

/** How the bytes of one write arrive; the pieces in order, none of them empty. */
export type Splitter = (bytes: Uint8Array) => readonly Uint8Array[];

/**
 * A connected pair of byte streams for tests: no process, no socket. `split` cuts every write into
 * the pieces in which the other end reads it; whole writes when absent. A file arrives with the
 * first piece, as a handle of its own.
 */
export function memoryStreamPair(split: Splitter = (bytes) => [bytes]): MemoryStreamPair {
  const parent = new MemoryStream(split);
  const child = new MemoryStream(split);
  parent.connect(child);
  child.connect(parent);
  return { parent, child };
}

class MemoryStream implements ByteStream<MemoryFile> {
  readonly #split: Splitter;
  readonly #arrived: ReceivedBytes<MemoryFile>[] = [];
  #wake: (() => void) | undefined;
  #peer: MemoryStream | undefined;
  #closed = false;

  constructor(split: Splitter) {
    this.#split = split;
  }

  connect(peer: MemoryStream): void {
    this.#peer = peer;
  }

  async write(bytes: Uint8Array, file?: MemoryFile): Promise<void> {
    const peer = this.#peer;
    if (this.#closed || peer === undefined || peer.#closed) {
      throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    }
    for (const [index, piece] of this.#split(bytes).entries()) {
      const copy = file !== undefined && index === 0 ? file.duplicate() : undefined;
      peer.#arrived.push(
        copy === undefined ? { bytes: piece.slice() } : { bytes: piece.slice(), file: copy },
      );
    }
    peer.wake();
  }

  wake(): void {
    this.#wake?.();
  }

  async read(): Promise<ReceivedBytes<MemoryFile> | undefined> {
    for (;;) {
      if (this.#closed) return undefined;
      const next = this.#arrived.shift();
      if (next !== undefined) return next;
      if (this.#peer === undefined || this.#peer.#closed) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { file } of this.#arrived.splice(0)) file?.[Symbol.dispose]();
    this.wake();
    this.#peer?.wake();
  }
}
