/** Bytes as they arrived, in a piece of any size above 0, and the file that came with them. */
export type ReceivedBytes<File> = {
  readonly bytes: Uint8Array;
  /** Owned by whoever received it. */
  readonly file?: File;
};

/**
 * One end of a byte stream, such as an AF_UNIX SOCK_STREAM pair, as a stream channel needs it.
 * It is pulled: nothing is read that nobody waits for, so the kernel's buffer holds a peer back.
 */
export interface ByteStream<File = never> {
  /**
   * Writes all the bytes with one call, behind those written before, the file with the first of
   * them. Fails when the other end is closed. The file is borrowed.
   */
  write(bytes: Uint8Array, file?: File): Promise<void>;
  /**
   * The next bytes, or undefined at end of file. Never called again before it has settled.
   * An implementation reports ECONNRESET as end of file, after all bytes that arrived before it.
   */
  read(): Promise<ReceivedBytes<File> | undefined>;
  /** Closes both directions; a pending read ends. Later calls do nothing. */
  close(): void;
}

/** What {@link byteStreamOf} makes a stream from. */
export type ByteStreamParts = {
  /** The bytes that arrive, for example a Node stream without an encoding. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Writes bytes and settles when the next may be written. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly close: () => void;
};

/**
 * A byte stream over an async iterable and a write function, without files. An iterable that fails
 * with the code ECONNRESET has ended: a peer that died with our bytes unread shows so.
 */
export function byteStreamOf({ incoming, write, close }: ByteStreamParts): ByteStream {
  const iterator = incoming[Symbol.asyncIterator]();
  return {
    write,
    async read() {
      for (;;) {
        const next = await iterator.next().catch(endOfReset);
        if (next.done === true) return undefined;
        if (next.value.byteLength > 0) return { bytes: next.value };
      }
    },
    close,
  };
}

function endOfReset(error: unknown): IteratorReturnResult<undefined> {
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
    return { done: true, value: undefined };
  }
  throw error;
}
