import type { FileHandle } from 'node:fs/promises';
import type { Launched } from './store-context.ts';

/** A program that this process launched and whose end it records. */
export class LiveProcess {
  readonly id: string;
  readonly launched: Launched;
  /** Resolves when the end is recorded and nothing is open any more, or after `detach`. Never rejects. */
  readonly left: Promise<void>;
  readonly #leave: () => void;
  readonly #directory: FileHandle;
  #watched = true;
  #detached = false;

  /** `directory` is the record's folder, open for writing the exit; closed here. */
  constructor(id: string, launched: Launched, directory: FileHandle) {
    this.id = id;
    this.launched = launched;
    this.#directory = directory;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.left = promise;
    this.#leave = resolve;
    void this.#watch();
  }

  /** Whether `detach` came before the end. */
  get detached(): boolean {
    return this.#detached;
  }

  /** Leaves the program running: whoever waits for it next reads its status from the pin. */
  async detach(): Promise<void> {
    if (!this.#watched) return this.left;
    this.#watched = false;
    this.#detached = true;
    this.launched.detach();
    await this.#directory.close();
    this.#leave();
  }

  async #watch(): Promise<void> {
    try {
      await this.launched.exited;
    } catch {
      // The exit could not be recorded, for want of space perhaps. The pin has it: whoever asks next tries again,
      // and is told what is in the way.
    }
    if (!this.#watched) return;
    this.#watched = false;
    await this.#directory.close();
    this.#leave();
  }
}
