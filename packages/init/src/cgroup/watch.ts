import { watch } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnedFd, readiness } from '@pilotlight/scm-rights';
import { oomEventfd, takeOomEvents } from '../syscall/oom-eventfd.ts';
import {
  type CgroupListing,
  isGone,
  listCgroups,
  parseFlatKeyed,
  readInterface,
} from './cgroup-files.ts';
import { readCgroupCounters } from './counters.ts';

/** A limit was enforced. */
export type CgroupEvent = {
  /**
   * - `oom`: the cgroup ran out of memory.
   * - `oomKill`: the kernel killed a process of it for that.
   * - `pidsLimit`: a fork failed because of `pids.max`.
   */
  type: 'oom' | 'oomKill' | 'pidsLimit';
  /** How often until now; on v1 `oom` is counted from the begin of the watch. */
  count: bigint;
};

export type WatchOptions = {
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
};

const LOOK_MS = 2000;

type Counts = Record<CgroupEvent['type'], bigint>;

/**
 * Tells each time a limit of a container's cgroups is enforced. Begins with the first call of `next`, and
 * tells what has happened until then first, so that nothing is missed.
 *
 * The kernel wakes it: by inotify on `memory.events` and `pids.events`, and on v1 by an eventfd for memory. The limit of
 * processes on v1 is looked at every two seconds.
 * Several events of one type close together may come as one with a higher count, and one right before the cgroup is
 * removed may not come at all: `onExit` of a launch is the time for readCgroupCounters. Ends when no process is left
 * in the cgroups, when they are removed, and when `signal` is aborted.
 *
 * @param paths what a launch calls its `cgroupPaths`
 */
export async function* watchCgroup(
  paths: readonly string[],
  { signal }: WatchOptions = {},
): AsyncGenerator<CgroupEvent, void, undefined> {
  if (signal?.aborted === true) return;
  const alarms = new Alarms();
  const stop = (): void => alarms.end();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const cgroups = await listCgroups(paths);
    for (const cgroup of cgroups) alarms.watch(cgroup);
    const told: Counts = { oom: 0n, oomKill: 0n, pidsLimit: 0n };
    while (!alarms.ended) {
      // Whether there will be more is asked first: what happens after that is in the counts.
      const isLast = cgroups.length === 0 || (await isDeserted(cgroups));
      const counts = await readCounts(cgroups, alarms.oomEvents);
      for (const type of ['oom', 'oomKill', 'pidsLimit'] as const) {
        if (counts[type] <= told[type]) continue;
        if (type === 'oomKill') alarms.quiet();
        told[type] = counts[type];
        yield { type, count: counts[type] };
      }
      if (isLast) return;
      await alarms.next();
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    await alarms.close();
  }
}

async function readCounts(cgroups: readonly CgroupListing[], oomEvents: bigint): Promise<Counts> {
  const counters = await readCgroupCounters(cgroups.map(({ path }) => path));
  let oom = oomEvents;
  for (const { path, files } of cgroups) {
    if (!files.has('memory.events')) continue;
    oom += parseFlatKeyed((await readInterface(path, 'memory.events')) ?? '').get('oom') ?? 0n;
  }
  return { oom, ...counters };
}

/** Nothing is left that could meet a limit. Where only v1 is, the end is the removal of the cgroup. */
async function isDeserted(cgroups: readonly CgroupListing[]): Promise<boolean> {
  const unified = cgroups.find(({ files }) => files.has('cgroup.events'));
  if (unified !== undefined) {
    const events = await readInterface(unified.path, 'cgroup.events');
    return events === undefined || parseFlatKeyed(events).get('populated') === 0n;
  }
  return (await listCgroups(cgroups.map(({ path }) => path))).length === 0;
}

/** v1 tells of the lack of memory before it kills: the count of kills is looked at again, in milliseconds. */
const killDelaysMs = [5, 20, 80, 300, 1000];

/** Everything that wakes the watch. */
class Alarms {
  /** Of v1, since the begin. */
  oomEvents = 0n;
  ended = false;
  readonly #closers: (() => void)[] = [];
  readonly #listening: Promise<void>[] = [];
  readonly #abort = new AbortController();
  #rung = false;
  #wake: (() => void) | undefined;
  #awaitsKill = false;

  watch({ path, files, version }: CgroupListing): void {
    for (const file of ['memory.events', 'pids.events', 'cgroup.events']) {
      if (files.has(file)) this.#watchFile(join(path, file));
    }
    if (version === 1 && files.has('memory.oom_control')) this.#watchOom(path);
    // The kernel wakes nobody who watches this file of v1 (pids_event, seen on Linux 6.18).
    if (version === 1 && files.has('pids.events')) this.#lookNowAndThen();
    // A file tells nothing of its own removal, and the kernel drops a change that it held back for 10 ms
    // when the cgroup is removed meanwhile: the directory above tells.
    this.#watchFile(dirname(path), basename(path));
  }

  /** Resolves when something rang since the last call. */
  async next(): Promise<void> {
    if (!this.#rung && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
  }

  /** The kill that an OOM event of v1 announced has been counted. */
  quiet(): void {
    this.#awaitsKill = false;
  }

  end(): void {
    this.ended = true;
    this.#ring();
  }

  async close(): Promise<void> {
    this.ended = true;
    this.#abort.abort();
    for (const close of this.#closers) close();
    await Promise.all(this.#listening);
  }

  #lookNowAndThen(): void {
    const timer = setInterval(() => this.#ring(), LOOK_MS).unref();
    this.#closers.push(() => clearInterval(timer));
  }

  #ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** @param only of a directory, the name of which changes are of interest */
  #watchFile(file: string, only?: string): void {
    try {
      const watcher = watch(file, (_, name) => {
        if (only === undefined || name === only) this.#ring();
      });
      // The cgroup is removed.
      watcher.on('error', () => this.#ring());
      this.#closers.push(() => watcher.close());
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  #watchOom(path: string): void {
    let fd: OwnedFd;
    try {
      fd = oomEventfd(path);
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
    this.#listening.push(this.#listen(path, fd).finally(() => fd.close()));
  }

  async #listen(path: string, fd: OwnedFd): Promise<void> {
    const { signal } = this.#abort;
    try {
      for (;;) {
        await readiness.wait(fd, 'readable', { signal });
        const events = takeOomEvents(fd);
        // The removal of the cgroup signals as well.
        const isThere = (await readInterface(path, 'memory.oom_control')) !== undefined;
        if (isThere) this.oomEvents += events;
        this.#awaitsKill = isThere;
        this.#ring();
        for (const delay of killDelaysMs) {
          if (!this.#awaitsKill) break;
          await sleep(delay, undefined, { signal });
          this.#ring();
        }
        if (!isThere) return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
