import { isSyncError } from '../errors.ts';
import type { DialectName } from '../dialects/dialects.ts';
import type { SyncEnd } from '../sync-type.ts';
import {
  stringifyTranscriptLine,
  type TranscriptData,
  type TranscriptFd,
  type TranscriptLine,
} from './transcript-line.ts';

/** Takes one line of a transcript, without its newline. It must not keep the caller waiting. */
export type TranscriptSink = (line: string) => void;

/** What a tap must know. */
export type TapOptions<File> = {
  readonly dialect: DialectName;
  /** The end whose channel is tapped. */
  readonly end: SyncEnd;
  /** The number and the kind of a file that passes; without it files are recorded as fd 0, `file`. */
  readonly describeFile?: (file: File) => TranscriptFd;
  /** The clock; the machine's when absent. */
  readonly now?: () => Date;
  /** Told once when the sink throws. The recording ends then, and the conversation goes on. */
  readonly onSinkFailure?: (error: unknown) => void;
};

/** What a {@link Recorder} says about bytes. */
export type RecordedBytes<File> = Pick<TranscriptData, 'from' | 'raw' | 'messages'> &
  Pick<Partial<TranscriptData>, 'undecoded'> & { readonly file?: File | undefined };

/** Writes the lines of one transcript. It never throws. */
export class Recorder<File> {
  readonly #sink: TranscriptSink;
  readonly #options: TapOptions<File>;
  readonly #ended = new Set<SyncEnd>();
  #stopped = false;

  constructor(sink: TranscriptSink, options: TapOptions<File>) {
    this.#sink = sink;
    this.#options = options;
    const { dialect, end } = options;
    this.#write(() => ({
      event: 'begin',
      format: 1,
      time: this.#time(),
      dialect,
      recordedBy: end,
    }));
  }

  bytes({ from, raw, messages, undecoded, file }: RecordedBytes<File>): void {
    this.#write(() => ({
      event: 'data',
      time: this.#time(),
      from,
      raw,
      messages,
      ...(file !== undefined && { fds: [this.#describe(file)] }),
      ...(undecoded !== undefined && { undecoded }),
    }));
  }

  /** Later calls for the same end do nothing. */
  ended(from: SyncEnd): void {
    if (this.#ended.has(from)) return;
    this.#ended.add(from);
    this.#write(() => ({ event: 'end', time: this.#time(), from }));
  }

  failed(from: SyncEnd, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = isSyncError(error) ? error.code : 'ERR_UNKNOWN';
    this.#write(() => ({ event: 'failure', time: this.#time(), from, code, message }));
  }

  #describe(file: File): TranscriptFd {
    return this.#options.describeFile?.(file) ?? { fd: 0, kind: 'file' };
  }

  #time(): string {
    return (this.#options.now?.() ?? new Date()).toISOString();
  }

  #write(makeLine: () => TranscriptLine): void {
    if (this.#stopped) return;
    try {
      this.#sink(stringifyTranscriptLine(makeLine()));
    } catch (error) {
      this.#stopped = true;
      this.#options.onSinkFailure?.(error);
    }
  }
}
