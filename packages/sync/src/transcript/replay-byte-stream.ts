import { ReplayError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import type { ByteStream, ReceivedBytes } from '../stream/byte-stream.ts';
import type { SyncEnd } from '../sync-type.ts';
import { fromBase64 } from './base64.ts';
import type { ReplayOptions } from './replay-transcript.ts';
import type { TranscriptFd, TranscriptLine } from './transcript-line.ts';

/**
 * A byte stream on which the recorded bytes arrive again, in the same pieces, and on which exactly
 * the recorded bytes may be written, in any pieces. Bytes of the other end come when everything
 * before them has had its turn. `write` fails with ReplayError for other bytes; `read` gives
 * undefined at a recorded end of file and fails with ReplayError where the transcript breaks off.
 */
export function replayByteStream<File = never>(
  lines: readonly TranscriptLine[],
  options: ReplayOptions<File> = {},
): ByteStream<File> {
  const begin = lines[0];
  const end = options.end ?? (begin?.event === 'begin' ? begin.recordedBy : 'parent');
  const turns = lines.flatMap((line): Turn[] => {
    if (line.event === 'end' && line.from !== end) return [{ from: line.from }];
    if (line.event !== 'data') return [];
    return [
      { from: line.from, bytes: fromBase64(line.raw) ?? new Uint8Array(0), fd: line.fds?.[0] },
    ];
  });
  return new ByteReplay(turns, end, options);
}

type Turn = {
  readonly from: SyncEnd;
  /** Absent at end of file. */
  readonly bytes?: Uint8Array;
  readonly fd?: TranscriptFd | undefined;
};

class ByteReplay<File> implements ByteStream<File> {
  readonly #turns: Turn[];
  readonly #end: SyncEnd;
  readonly #options: ReplayOptions<File>;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(turns: Turn[], end: SyncEnd, options: ReplayOptions<File>) {
    this.#turns = turns;
    this.#end = end;
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const turn = this.#turns[0];
      if (turn?.from !== this.#end || turn.bytes === undefined) {
        throw new ReplayError('nothing to be written here', textOf(rest));
      }
      const length = Math.min(turn.bytes.length, rest.length);
      if (turn.bytes.subarray(0, length).some((byte, index) => byte !== rest[index])) {
        throw new ReplayError(textOf(turn.bytes), textOf(rest));
      }
      rest = rest.subarray(length);
      if (length === turn.bytes.length) this.#turns.shift();
      else this.#turns[0] = { ...turn, bytes: turn.bytes.subarray(length) };
    }
    this.#wake?.();
  }

  async read(): Promise<ReceivedBytes<File> | undefined> {
    for (;;) {
      const turn = this.#turns[0];
      if (this.#closed) return undefined;
      if (turn === undefined) {
        throw new ReplayError('nothing more, for the transcript breaks off', 'a wait for bytes');
      }
      if (turn.from !== this.#end) return this.#play(turn);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #play({ bytes, fd }: Turn): ReceivedBytes<File> | undefined {
    if (bytes === undefined) return undefined;
    this.#turns.shift();
    if (fd === undefined) return { bytes };
    const file = this.#options.makeFile?.(fd);
    if (file === undefined) {
      throw new ReplayError('makeFile to give a file', `none for ${excerpt(fd.kind)}`);
    }
    return { bytes, file };
  }
}

function textOf(bytes: Uint8Array): string {
  return excerpt(new TextDecoder().decode(bytes));
}
