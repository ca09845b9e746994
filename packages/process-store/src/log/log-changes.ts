import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path/posix';

/** Where the kernel tells of nothing, as on a network file system, this is how often we look. */
const LOOK_MS = 500;

/** Waits until something may have happened to the files of a log; inotify(7). */
export class LogChanges implements Disposable {
  readonly #signal: AbortSignal | undefined;
  readonly #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: () => void = () => {};

  /** From here on nothing is missed. */
  constructor(path: string, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#watcher = this.#watch(path);
    signal?.addEventListener('abort', this.notify);
  }

  /** Ends the wait, or the next one. */
  readonly notify = (): void => {
    this.#changed = true;
    this.#wake();
  };

  /** Resolves after a change, also one since the last wait, and now and then without one. Rejects with the signal's reason. */
  async wait(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, LOOK_MS);
      await promise;
      clearTimeout(timer);
    }
    this.#changed = false;
    this.#signal?.throwIfAborted();
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener('abort', this.notify);
    this.#watcher?.close();
  }

  #watch(path: string): FSWatcher | undefined {
    const base = basename(path);
    try {
      const watcher = watch(dirname(path), (_event, name) => {
        if (name === null || name === base || name.startsWith(`${base}.`)) this.notify();
      });
      // The directory went away, for example; the timer goes on looking.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }
}
