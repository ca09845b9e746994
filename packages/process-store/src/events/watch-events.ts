import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../disk/make-folder.ts';
import { errnoCode, RootError } from '../errors.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { JournalReader } from './journal-reader.ts';
import type { LostEvents, StoreEvent } from './store-event.ts';

/** Where to begin, and when to end. */
export interface WatchOptions {
  /** Ends the iteration, which is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** A cursor: what came after it. `start`: all that is kept. Left out: what comes from now on. */
  since?: string;
}

/** Notifications may be missed where the kernel has no room for them; then this is the delay, in milliseconds. */
const RECHECK_MS = 5000;

/**
 * The events of a store, in order, as they are appended by whomever.
 *
 * Keeps the root from being tidied away meanwhile. Throws InvalidCursorError at once; rejects with the signal's reason, and
 * with RootError if the root is removed by somebody.
 */
export function watchEvents(
  root: StoreRoot,
  options: WatchOptions,
): AsyncGenerator<StoreEvent | LostEvents, never> {
  const reader = new JournalReader(root.layout.events, options.since);
  return iterate(root, reader, options.signal);
}

async function* iterate(
  root: StoreRoot,
  reader: JournalReader,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoreEvent | LostEvents, never> {
  signal?.throwIfAborted();
  const held = await root.enterToWatch(signal);
  try {
    await makeJournal(root);
    using changes = new Changes(root.layout.events);
    for (;;) {
      // Before reading: what is appended while we read wakes us.
      const changed = changes.next();
      const found = await reader.read();
      yield* found;
      signal?.throwIfAborted();
      if (found.length === 0) await raceChange(changed, signal);
      if (changes.gone) throw vanished(root);
    }
  } finally {
    held.close();
    await root.tidy();
  }
}

async function makeJournal(root: StoreRoot): Promise<void> {
  try {
    await makeFolder(root.layout.events);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') throw vanished(root);
    throw error;
  }
}

async function raceChange(changed: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  try {
    await Promise.race([changed, sleep(RECHECK_MS, undefined, { signal: either })]);
  } catch {
    signal?.throwIfAborted();
  } finally {
    stop.abort();
  }
}

/** Tells when something changes in a directory; inotify(7). */
class Changes implements Disposable {
  readonly #watcher: FSWatcher;
  #wake: (() => void) | undefined;
  /** Whether the directory was removed. */
  gone = false;

  constructor(directory: string) {
    this.#watcher = watch(directory, (event, name) => {
      // So the kernel says of the directory itself.
      if (event === 'rename' && name === 'events') this.gone = true;
      this.#wake?.();
    });
    this.#watcher.on('error', () => this.#wake?.());
  }

  /** Resolves at the next change. */
  next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}

function vanished(root: StoreRoot): RootError {
  const path = root.layout.root;
  return new RootError(path, `watch events of store ${path}: it was removed`, {
    hint: 'Look for what deletes this directory; a store must be left alone while it is in use.',
  });
}
