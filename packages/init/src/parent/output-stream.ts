import type { Socket } from 'node:net';
import { Readable } from 'node:stream';

/** How much the output streams of one launch may still deliver, together. */
export class OutputBudget {
  readonly maxBytes: number;
  #rest: number;
  #exceeded = false;
  readonly #cuts: (() => void)[] = [];
  #stop: (() => void) | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#rest = maxBytes;
  }

  /** Called once, when more came than was allowed; at once if that has happened. */
  onExceeded(stop: () => void): void {
    this.#stop = stop;
    if (this.#exceeded) stop();
  }

  /** Called after that, for each stream. */
  onCut(cut: () => void): void {
    this.#cuts.push(cut);
  }

  /** Takes `bytes`, or what is left. @returns how many are allowed */
  take(bytes: number): number {
    const allowed = Math.min(bytes, this.#rest);
    this.#rest -= allowed;
    return allowed;
  }

  /** From here on nothing is too much. */
  lift(): void {
    this.#rest = Number.POSITIVE_INFINITY;
  }

  exceed(): void {
    if (this.#exceeded) return;
    this.#exceeded = true;
    // The kill first: a program whose pipe was closed would end by SIGPIPE.
    this.#stop?.();
    for (const cut of this.#cuts) cut();
  }
}

/** More than a pipe can hold, unless its size was raised by root; pipe(7), /proc/sys/fs/pipe-max-size. */
const maxPipeBytes = 1 << 20;

/**
 * What a program writes to one of its pipes, as a Node stream.
 *
 * While the program runs nothing is read ahead of the reader but a buffer or two: a program that
 * writes more waits, as it would for any pipe. Once it has ended, `drain` takes what is left in the
 * pipe into memory, so that the descriptor is closed whether or not anybody ever reads.
 */
export class OutputStream extends Readable {
  readonly #source: Socket;
  readonly #budget: OutputBudget | undefined;
  /** How many bytes may still be taken although nobody reads. */
  #toDrain = 0;
  /** How often something came. */
  #activity = 0;
  #isOver = false;

  constructor(source: Socket, budget: OutputBudget | undefined) {
    super();
    this.#source = source;
    this.#budget = budget;
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => this.#end());
    source.on('error', (error) => this.destroy(error));
    source.on('close', () => {
      this.#toDrain = 0;
      // Closed before its end, by `destroy`, which tells by itself.
      if (!source.readableEnded && !this.destroyed) this.#end();
    });
    budget?.onCut(() => this.#cut());
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.destroy();
    done(error);
  }

  /**
   * For a program that has ended: takes what the pipe still holds into memory. Resolves at end of
   * file, or when nothing more is there although somebody else still holds the pipe.
   */
  async drain(): Promise<void> {
    this.#toDrain = maxPipeBytes;
    this.#source.resume();
    // Each turn of the event loop polls once and takes all that is there: a turn in which
    // nothing came means that nothing was there. The first one or two only start the reading.
    for (let idle = 0; idle < 3 && this.#toDrain > 0 && !this.#source.destroyed; idle++) {
      const before = this.#activity;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#activity !== before) idle = -1;
    }
    this.#toDrain = 0;
  }

  #take(chunk: Buffer): void {
    this.#activity++;
    if (this.#isOver) return;
    const allowed = this.#budget?.take(chunk.length) ?? chunk.length;
    const wantsMore =
      allowed === 0 || this.push(allowed === chunk.length ? chunk : chunk.subarray(0, allowed));
    if (allowed < chunk.length) return this.#budget?.exceed();
    this.#toDrain = Math.max(0, this.#toDrain - chunk.length);
    if (!wantsMore && this.#toDrain === 0) this.#source.pause();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#activity++;
    this.push(null);
  }

  /** Nothing more is delivered. */
  #cut(): void {
    this.#end();
    this.#source.destroy();
  }
}
