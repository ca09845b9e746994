import { setImmediate } from 'node:timers/promises';
import {
  isSyscallError,
  type OwnedFd,
  readiness,
  peekFifo,
  readNow,
  setNonblocking,
} from '@pilotlight/scm-rights';
import { LogError, messageOf } from '../errors.ts';
import { isKind } from '../stdio/file-kind.ts';
import type { LogStreamName } from '../stdio/log-fifo.ts';
import { CriEncoder } from './cri-line.ts';
import { WallClock } from './cri-time.ts';

/** What a pump needs of a LogWriter. */
export interface LogSink {
  write: (lines: readonly Uint8Array[]) => Promise<void>;
}

export interface LogPumpOptions {
  /** The reading end of a fifo or pipe, or the master of a pty; taken over, and made non-blocking. */
  source: OwnedFd;
  stream: LogStreamName;
  /** May be shared by several pumps; stays the caller's. */
  writer: LogSink;
  /** See CriEncoder. */
  maxLineBytes?: number;
  /** Gets what ended the pump before its source did. */
  onWarning?: (warning: LogError) => void;
}

const CHUNK_BYTES = 64 * 1024;
/** Where the pumps of this process read, one at a time. */
const shared: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
/** After that the beginning of a line is written without its end, in milliseconds. */
const QUIET_MS = 200;
/** More than a pipe can hold unless root has raised that; /proc/sys/fs/pipe-max-size. */
const MAX_PIPE_BYTES = 1 << 20;

/**
 * Moves what a process writes into a log, until the last who holds the other side has gone.
 *
 * Reads no more while the log takes its time, and then the process waits at its full pipe. What comes through a fifo is taken
 * out when it is written, so that the death of this process loses nothing but the beginning of a line of the last 200 ms; the
 * next pump may write a chunk of at most 64 KiB again. From a terminal, which cannot be looked into, a chunk may be lost.
 */
export class LogPump implements AsyncDisposable {
  /** Resolves when everything is written that will be, and the source is closed: at its end or after `stop`. Never rejects. */
  readonly done: Promise<'ended' | 'stopped'>;
  readonly #options: LogPumpOptions;
  readonly #encoder: CriEncoder;
  readonly #clock = new WallClock();
  /** Ends the waiting for more to read, and the pump with it. */
  readonly #stop = new AbortController();
  /** Since `drain` was called: what came, and whether it is enough. */
  #drain: { bytes: number; isOver: boolean; readonly caughtUp: () => void } | undefined;
  /** Ends one wait, to look around. */
  #wake = new AbortController();

  /** Begins at once. Throws SyscallError; then `source` stays with the caller. */
  constructor(options: LogPumpOptions) {
    setNonblocking(options.source, true);
    this.#options = options;
    this.#encoder = new CriEncoder(options.stream, options.maxLineBytes);
    this.done = this.#run();
  }

  /**
   * For a process that has ended. Resolves to `ended` when all of its output is written and nobody holds the other side any
   * more; to `held` when all that the process had written is in the log, but heirs of its streams still run after `graceMs`
   * milliseconds: the pump goes on with what they write, until their end or `stop`. `stopped` if the pump was.
   *
   * What the process itself wrote is never left behind, whatever `graceMs` is; what its heirs do never takes longer.
   */
  async drain({ graceMs }: { graceMs: number }): Promise<'ended' | 'stopped' | 'held'> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const drain = { bytes: 0, isOver: false, caughtUp: resolve };
    this.#drain = drain;
    const timer = setTimeout(() => {
      drain.isOver = true;
      this.#wake.abort();
    }, graceMs);
    try {
      return await Promise.race([this.done, promise.then(() => 'held' as const)]);
    } finally {
      clearTimeout(timer);
      this.#drain = undefined;
    }
  }

  /** Ends the pump once what it has read is written, and closes the source. What is unread stays in it for the next. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<'ended' | 'stopped'> {
    const { source, stream, writer, onWarning } = this.#options;
    try {
      const ended = await this.#pump();
      await writer.write(this.#encoder.end(this.#clock.now()));
      return ended ? 'ended' : 'stopped';
    } catch (error) {
      onWarning?.(
        new LogError(source.role, `pump ${stream} to its`, messageOf(error), {
          hint: 'What the process writes from now on is not logged; see the cause.',
          cause: error,
        }),
      );
      return 'stopped';
    } finally {
      source.close();
    }
  }

  /** True at the end of the source, false when told to stop. */
  async #pump(): Promise<boolean> {
    const { source, writer } = this.#options;
    const canPeek = isKind(source, 'fifo');
    while (!this.#stop.signal.aborted) {
      const count = canPeek ? peekFifo(source, shared) : readOrEnd(source, shared);
      if (count === 0) return true;
      if (count === undefined) {
        await this.#caughtUp(Number.POSITIVE_INFINITY);
        await this.#wait(source);
        continue;
      }
      // Copied in there: the chunk is everybody's, and the next to read may come before this is written.
      const lines = this.#encoder.encode(shared.subarray(0, count), this.#clock.now());
      await writer.write(lines);
      // Not before it is written: should we die in between, the next pump writes it again.
      if (canPeek) discard(source, count);
      await this.#caughtUp(count);
      // A process that never stops writing is not to keep everything else here from running.
      await setImmediate();
    }
    return false;
  }

  /** Whatever the process wrote was in the pipe when it ended, and no more than a pipe holds. */
  async #caughtUp(bytes: number): Promise<void> {
    const drain = this.#drain;
    if (drain === undefined) return;
    drain.bytes += bytes;
    if (!drain.isOver || drain.bytes < MAX_PIPE_BYTES) return;
    // Its last line too, if that has no newline.
    await this.#options.writer.write(this.#encoder.end(this.#clock.now()));
    drain.caughtUp();
  }

  async #wait(source: OwnedFd): Promise<void> {
    this.#wake = new AbortController();
    // Told to look around before this wait could be ended.
    if (this.#stop.signal.aborted) return;
    const wake = this.#wake;
    // A prompt, or a line whose end takes long: nothing of it is to be lost with us, or to be waited for by a reader.
    const timer =
      this.#encoder.heldBytes > 0 ? setTimeout(() => wake.abort(), QUIET_MS) : undefined;
    try {
      await readiness.wait(source, 'readable', { signal: wake.signal });
    } catch (error) {
      if (!wake.signal.aborted) throw error;
      if (timer !== undefined) {
        await this.#options.writer.write(this.#encoder.end(this.#clock.now()));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What is there; undefined if nothing is yet. */
function readOrEnd(source: OwnedFd, chunk: Buffer): number | undefined {
  try {
    return readNow(source, chunk);
  } catch (error) {
    // How a master tells that nobody has its terminal open any more.
    if (isSyscallError(error, 'EIO')) return 0;
    throw error;
  }
}

/** Takes out what was peeked at; nobody else reads there. */
function discard(source: OwnedFd, count: number): void {
  for (let left = count; left > 0;) {
    const taken = readNow(source, shared.subarray(0, Math.min(left, shared.length))) ?? 0;
    if (taken === 0) return;
    left -= taken;
  }
}
