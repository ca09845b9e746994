import type { ExitRecord } from '../record/exit-record.ts';
import type { Generation } from '../record/generation.ts';
import type { ExitWriter } from './exit-writer.ts';
import type { Launched } from './store-context.ts';

/** A program that this process launched and whose end it records. */
export class LiveProcess {
  readonly key: string;
  readonly generation: Generation;
  readonly launched: Launched;
  /** Resolves when the end is recorded and nothing is open any more, or after `detach`. Never rejects. */
  readonly left: Promise<void>;
  readonly #leave: () => void;
  readonly #writer: ExitWriter;
  #detached = false;

  /** Takes over `writer`. */
  constructor(key: string, generation: Generation, launched: Launched, writer: ExitWriter) {
    this.key = key;
    this.generation = generation;
    this.launched = launched;
    this.#writer = writer;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.left = promise;
    this.#leave = resolve;
    void this.#watch();
  }

  /** Resolves when the disk has refused the record of its end. */
  get refused(): Promise<void> {
    return this.#writer.refused;
  }

  /** How it ended, if that is known here. */
  get exit(): ExitRecord | undefined {
    return this.#writer.exit;
  }

  /** Leaves the program running: whoever waits for it next reads its status from the pin. */
  async detach(): Promise<void> {
    if (!this.#detached) {
      this.#detached = true;
      this.launched.detach();
      await this.#close();
    }
    return this.left;
  }

  /** Tries no longer to record its end, which is deleted. Resolves with `left`. */
  async forget(): Promise<void> {
    await this.#writer.close();
    return this.left;
  }

  async #watch(): Promise<void> {
    try {
      await this.launched.exited;
    } catch {
      // The exit could not be recorded, for want of space perhaps. The pin has it: whoever asks next tries again,
      // and is told what is in the way.
    }
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    this.#leave();
  }
}
