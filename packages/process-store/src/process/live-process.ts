import type { FileHandle } from 'node:fs/promises';
import type { ExitRecord } from '../record/exit-record.ts';
import type { Generation } from '../record/generation.ts';
import type { Launched } from './store-context.ts';

/** What a launch hands over. */
export interface LiveParts {
  id: string;
  generation: Generation;
  launched: Launched;
  /** The record's folder, open for writing the exit; closed when that is done. */
  directory: FileHandle;
  /** What was recorded of the end, once it was. */
  exit: () => ExitRecord | undefined;
}

/** A program that this process launched and whose end it records. */
export class LiveProcess {
  readonly id: string;
  readonly generation: Generation;
  readonly launched: Launched;
  /** Resolves when the end is recorded and nothing is open any more, or after `detach`. Never rejects. */
  readonly left: Promise<void>;
  readonly #leave: () => void;
  readonly #directory: FileHandle;
  readonly #exit: () => ExitRecord | undefined;
  #watched = true;
  #detached = false;

  constructor(parts: LiveParts) {
    const { id, generation, launched, directory, exit } = parts;
    this.id = id;
    this.generation = generation;
    this.launched = launched;
    this.#exit = exit;
    this.#directory = directory;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.left = promise;
    this.#leave = resolve;
    void this.#watch();
  }

  /** How it ended, as recorded; known also when the record has been deleted since. */
  get exit(): ExitRecord | undefined {
    return this.#exit();
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
