import { type FSWatcher, watch } from 'node:fs';
import type { StoreLayout } from '../layout.ts';
import { listExecKeys, listKeys } from '../record/list-keys.ts';
import type { WatchList } from './watch-list.ts';

/** How often launches under way are looked after, and everything where changes cannot be reported: inotify(7) has limits. */
const RESCAN_MS = 10_000;
/** In case a change was not reported; one in so many times. */
const RESCAN_ALL_EVERY = 6;

/** Notices new records, and those that change while they are made, and has them looked at. */
export class RecordFolders {
  readonly #layout: StoreLayout;
  readonly #list: WatchList;
  readonly #onRescan: () => void;
  #all: FSWatcher | undefined;
  /** Folders of launches under way. */
  readonly #pending = new Map<string, FSWatcher | undefined>();
  /** Records that need no further look. */
  readonly #done = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #round = 0;

  /** `onRescan` is called from time to time, when all are looked at again, and when one is gone. */
  constructor(layout: StoreLayout, list: WatchList, onRescan: () => void) {
    this.#layout = layout;
    this.#list = list;
    this.#onRescan = onRescan;
  }

  /** Begins to watch, and looks at every record once; resolves when that is done. */
  async start(): Promise<void> {
    this.#all = this.#watch(this.#layout.records, (name) => {
      if (name === undefined) void this.rescan();
      else void this.look(name);
    });
    await this.rescan();
    this.#schedule();
  }

  /** Looks at one record now. */
  async look(key: string): Promise<void> {
    if (this.#closed) return;
    // Before looking: what changes from here on is reported.
    if (!this.#list.isWatched(key)) this.#follow(key);
    const sight = await this.#list.look(key);
    // A bad one may be repaired.
    if (sight !== 'pending' && sight !== 'bad') this.#unfollow(key);
    // Perhaps with all the others, and the root.
    if (sight === 'gone') this.#onRescan();
    if (sight === 'finished') this.#done.add(key);
    else this.#done.delete(key);
    if (!key.includes('/')) await this.#lookInside(key);
  }

  /** What was executed in a container: its launcher touches the container's folder. */
  async #lookInside(container: string): Promise<void> {
    const execs = await listExecKeys(this.#layout, container);
    const unknown = execs.filter((key) => !this.#done.has(key) && !this.#list.isWatched(key));
    await Promise.all(unknown.map((key) => this.look(key)));
  }

  /** Looks at every record that is not known to be watched or finished. */
  async rescan(): Promise<void> {
    const keys = await listKeys(this.#layout);
    const present = new Set(keys);
    // Without reports a name may have changed hands unseen.
    if (this.#all === undefined) this.#done.clear();
    for (const key of this.#done) if (!present.has(key)) this.#done.delete(key);
    const gone = this.#list.keys().filter((key) => !present.has(key));
    const unknown = keys.filter((key) => !this.#done.has(key) && !this.#list.isWatched(key));
    await Promise.all([...gone, ...unknown].map((key) => this.look(key)));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#all?.close();
    for (const key of this.#pending.keys()) this.#unfollow(key);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#rescanAndGoOn(), RESCAN_MS);
    this.#timer.unref();
  }

  async #rescanAndGoOn(): Promise<void> {
    const stale = [...this.#pending.keys()];
    this.#round += 1;
    const isBlind = this.#all === undefined;
    if (isBlind || stale.length > 0 || this.#round % RESCAN_ALL_EVERY === 0) {
      await this.rescan().catch(() => undefined);
    }
    // A launch that takes so long may be dead: its lock tells, and what it left is removed.
    for (const key of stale) {
      if (this.#pending.has(key)) await this.#list.settle(key, 0).catch(() => undefined);
    }
    this.#onRescan();
    if (!this.#closed) this.#schedule();
  }

  #follow(key: string): void {
    if (this.#pending.has(key)) return;
    this.#pending.set(key, undefined);
    const path = this.#layout.record(key);
    this.#pending.set(
      key,
      this.#watch(path, () => void this.look(key)),
    );
  }

  #unfollow(key: string): void {
    this.#pending.get(key)?.close();
    this.#pending.delete(key);
  }

  /** Undefined where nothing can be watched: then the rescan finds it. */
  #watch(path: string, onChange: (name: string | undefined) => void): FSWatcher | undefined {
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => onChange(name ?? undefined));
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }
}
