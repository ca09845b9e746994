import type { FileHandle } from 'node:fs/promises';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { dupFd, pidfdState } from '@pilotlight/scm-rights';
import { openDirectory } from '../disk/open-directory.ts';
import { BusyError, errnoCode, isStoreError, messageOf } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import { lockRecord } from '../record/lock-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import { readFacts } from '../record/read-facts.ts';
import { readRecord } from '../record/parse-record.ts';
import { specRecordSchema } from '../record/spec-record.ts';
import { recordFiles } from '../layout.ts';
import { readUnfinished, type Unfinished } from '../record/read-unfinished.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { here } from '../supervision/here.ts';
import { identify } from '../supervision/identify.ts';
import { describeReaped } from '../supervision/observe.ts';
import { recordExit } from '../supervision/record-exit.ts';
import { type Authority, recover } from '../supervision/recover.ts';
import { waitReaped } from '../supervision/wait-reaped.ts';
import type { AttendedRecord, MonitorDuty } from './duty.ts';
import type { KeptDescriptors } from './kept-descriptors.ts';
import { Limiter } from './limiter.ts';
import type { SettledState } from './wire/client-protocol.ts';

const AT_ONCE = 32;
const LOCK_DEADLINE_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/** What a look at a record found. */
export type Sight = 'watched' | 'pending' | 'finished' | 'gone' | 'bad';

/** There may be thousands of these: no more than it takes. */
interface Watched {
  key: string;
  /** Alive when we began: then its end is the moment at which we see it. */
  wasAlive: boolean;
  generation: Generation;
  pidfd: OwnedFd;
  /** Whether the monitor has to stay for it. */
  isNeeded: boolean;
}

export interface WatchListOptions {
  root: StoreRoot;
  kept: KeptDescriptors;
  duties: readonly MonitorDuty[];
  /** Called when what is watched, or a problem, has changed. */
  onChange: () => void;
}

/** The processes without a recorded end, each with a pidfd that wakes us, and the recording of their ends. */
export class WatchList {
  readonly problems: Map<string, string> = new Map();
  readonly #options: WatchListOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #looks = new Map<string, { again: boolean; sight: Promise<Sight> }>();
  readonly #limiter = new Limiter(AT_ONCE);
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #closing = new AbortController();

  constructor(options: WatchListOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** Whether a process is watched whose end nobody else would keep. */
  get isNeeded(): boolean {
    for (const { isNeeded } of this.#watched.values()) if (isNeeded) return true;
    return false;
  }

  isWatched(key: string): boolean {
    return this.#watched.has(key);
  }

  keys(): string[] {
    return [...this.#watched.keys()];
  }

  /** Looks at a record, and watches its process if it has no end yet. Never rejects: a bad record is a problem. */
  async look(key: string): Promise<Sight> {
    const known = this.#looks.get(key);
    if (known !== undefined) {
      // What it has read may be older than what made the caller ask.
      known.again = true;
      return known.sight;
    }
    const look = { again: false, sight: Promise.resolve<Sight>('gone') };
    this.#looks.set(key, look);
    look.sight = this.#lookUntilQuiet(key, look);
    return look.sight;
  }

  /**
   * Records what can be recorded of a process now, under its lock, and tells how it stands. `deadlineMs` is how long to wait
   * for the lock, ten seconds unless given.
   *
   * Throws BadRecordError, BusyError, and Node's error for what cannot be written.
   */
  async settle(key: string, deadlineMs: number = LOCK_DEADLINE_MS): Promise<SettledState> {
    const { root, kept } = this.#options;
    const { signal } = this.#closing;
    using rootLock = await root.enter(signal);
    if (rootLock === undefined) return await this.#forget(key);
    await using record = await lockRecord(key, root.layout.record(key), { deadlineMs, signal });
    if (record === undefined) return await this.#forget(key);
    const authority: Authority = {
      decides: true,
      held: (proc) => this.#pidfdOf(key, proc) ?? kept.pidfdOf(key, proc),
    };
    const recovered = await recover(root.layout, record, here(), authority, root.atExit);
    if (recovered === undefined) return await this.#forget(key);
    const { facts, seen } = recovered;
    if (seen !== undefined && 'pidfd' in seen) seen.pidfd.close();
    this.#solve(key);
    if (facts.exit !== undefined && facts.proc !== undefined) {
      await this.#finish(key, facts.proc, facts.exit);
      return 'stopped';
    }
    return seen?.kind === 'hidden' ? 'hidden' : 'alive';
  }

  /** Stops watching; records nothing more. */
  close(): void {
    this.#closing.abort();
    for (const retry of this.#retries) clearTimeout(retry);
    for (const watched of this.#watched.values()) this.#drop(watched);
    this.#watched.clear();
  }

  async #lookUntilQuiet(key: string, look: { again: boolean }): Promise<Sight> {
    let sight: Sight;
    do {
      look.again = false;
      sight = await this.#limiter.run(() => this.#lookOnce(key));
    } while (look.again && !this.#closing.signal.aborted);
    // In the same turn: nobody can ask for another look that would not come.
    this.#looks.delete(key);
    return sight;
  }

  async #lookOnce(key: string): Promise<Sight> {
    const path = this.#options.root.layout.record(key);
    try {
      await using directory = await openDirectory(path);
      const unfinished = await readUnfinished(directory, path);
      if (typeof unfinished === 'string') {
        if (unfinished === 'finished') await this.#meetFinished(key, directory, path);
        this.#solve(key);
        return unfinished;
      }
      await this.#watch(key, unfinished);
      return 'watched';
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') {
        await this.#forget(key);
        return 'gone';
      }
      this.#report(key, error);
      return 'bad';
    }
  }

  async #watch(key: string, { proc }: Unfinished): Promise<void> {
    const known = this.#watched.get(key);
    if (known !== undefined) {
      if (isSameGeneration(known.generation, proc)) return this.#attend(known, proc);
      this.#drop(known);
      this.#watched.delete(key);
    }
    const pidfd = this.#open(key, proc);
    if (pidfd === undefined) {
      // It has ended, or cannot be seen; recovery tells.
      void this.#settleLater(key, FIRST_RETRY_MS);
      return;
    }
    const { pid, startTicks } = proc;
    const generation = { pid, startTicks, bootId: here().bootId };
    const wasAlive = pidfdState(pidfd) === 'running';
    const watched: Watched = { key, generation, pidfd, isNeeded: proc.tier !== 'A', wasAlive };
    this.#watched.set(key, watched);
    void this.#await(watched);
    this.#options.onChange();
    await this.#attend(watched, proc);
  }

  async #attend(watched: Watched, proc: ProcRecord): Promise<void> {
    const { key } = watched;
    await this.#eachDuty(key, async (duty) => {
      if (await duty.attend(this.#attended(key, proc))) watched.isNeeded = true;
    });
  }

  /** A pidfd of its own, or undefined if there is no such process any more. */
  #open(key: string, proc: ProcRecord): OwnedFd | undefined {
    const kept = this.#options.kept.pidfdOf(key, proc);
    if (kept !== undefined) return dupFd(kept, kept.role);
    const { bootId, namespaces } = here();
    if (proc.bootId !== bootId || proc.namespaces.pid !== namespaces.pid) return undefined;
    const identified = identify(proc);
    return identified.kind === 'same' ? identified.pidfd : undefined;
  }

  /** Registering a pidfd that has hung up already reports it at once: no end falls between looking and watching. */
  async #await(watched: Watched): Promise<void> {
    const { key, pidfd } = watched;
    try {
      await waitReaped(pidfd);
    } catch (error) {
      // Else we have closed it ourselves.
      if (!pidfd.closed) this.#report(key, error);
      return;
    }
    const exitedAt = watched.wasAlive ? new Date().toISOString() : undefined;
    await this.#limiter.run(() => this.#recordEnd(watched, exitedAt)).catch(() => undefined);
    // Recovery does what is left: it tells the end. And it meets again what was in the way.
    await this.#settleLater(key, FIRST_RETRY_MS);
  }

  /** Records an end that was seen at once, which takes no lock. */
  async #recordEnd(
    { key, pidfd, generation }: Watched,
    exitedAt: string | undefined,
  ): Promise<void> {
    const end = describeReaped(pidfd, 'pidfd');
    if (end.kind !== 'ended') return;
    const path = this.#options.root.layout.record(key);
    await using directory = await openDirectory(path);
    const unfinished = await readUnfinished(directory, path);
    if (typeof unfinished === 'string') return;
    const { proc, released } = unfinished;
    if (!isSameGeneration(proc, generation)) return;
    const { status, source } = end;
    const { atExit } = this.#options.root;
    await atExit('ended');
    await recordExit(
      directory,
      { ...proc, released },
      { status, source, ...(exitedAt === undefined ? {} : { exitedAt }) },
    );
    await atExit('exitRecorded');
  }

  /** Settles, and tries again for as long as it cannot: for want of space, perhaps. The pidfd is kept meanwhile. */
  async #settleLater(key: string, retryMs: number): Promise<void> {
    try {
      await this.#limiter.run(() => this.settle(key));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#report(key, error);
      // Nothing will change by itself; a new look comes with a change of the folder.
      if (isStoreError(error, 'ERR_STORE_BAD_RECORD')) return;
      const next = error instanceof BusyError ? retryMs : Math.min(2 * retryMs, LONGEST_RETRY_MS);
      const timer = setTimeout(() => {
        this.#retries.delete(timer);
        void this.#settleLater(key, next);
      }, retryMs);
      this.#retries.add(timer);
    }
  }

  async #finish(key: string, proc: ProcRecord, exit: ExitRecord): Promise<void> {
    const { kept } = this.#options;
    const isWatched = this.#watched.has(key);
    if (isWatched || kept.keys().has(key)) {
      const record = this.#attended(key, proc);
      // What the monitor before this one held of it is not done with yet: its last output, above all.
      if (!isWatched) await this.#eachDuty(key, (duty) => duty.attend(record));
      await this.#eachDuty(key, (duty) => duty.ended?.(record, exit));
    }
    await this.#finished(key);
  }

  /** A record whose end was recorded by somebody else. */
  async #meetFinished(key: string, directory: FileHandle, path: string): Promise<void> {
    if (this.#watched.has(key) || this.#options.kept.keys().has(key)) {
      const { proc, exit } = await readFacts(directory, path);
      if (proc !== undefined && exit !== undefined) return this.#finish(key, proc, exit);
    }
    await this.#finished(key);
  }

  async #eachDuty(key: string, work: (duty: MonitorDuty) => unknown): Promise<void> {
    for (const duty of this.#options.duties) {
      try {
        await work(duty);
      } catch (error) {
        this.#report(key, error);
      }
    }
  }

  async #finished(key: string): Promise<void> {
    await this.#unwatch(key);
    await this.#eachDuty(key, (duty) => duty.finished?.(key));
  }

  async #unwatch(key: string): Promise<void> {
    const watched = this.#watched.get(key);
    if (watched !== undefined) this.#drop(watched);
    this.#watched.delete(key);
    await this.#options.kept.release(key);
    this.#options.onChange();
  }

  async #forget(key: string): Promise<'absent'> {
    for (const duty of this.#options.duties) await duty.forget?.(key);
    this.problems.delete(key);
    await this.#unwatch(key);
    return 'absent';
  }

  #drop({ pidfd }: Watched): void {
    pidfd.close();
  }

  #pidfdOf(key: string, proc: ProcRecord): OwnedFd | undefined {
    const watched = this.#watched.get(key);
    return watched !== undefined && isSameGeneration(watched.generation, proc)
      ? watched.pidfd
      : undefined;
  }

  #attended(key: string, proc: ProcRecord): AttendedRecord {
    const { root, kept } = this.#options;
    const path = root.layout.record(key);
    return {
      key,
      proc,
      path,
      spec: () => readRecord(`${path}/${recordFiles.spec}`, specRecordSchema),
      held: (role) => kept.get(key, role),
      hold: (role, fd) => kept.keep(key, role, fd),
    };
  }

  #report(key: string, error: unknown): void {
    this.problems.set(key, messageOf(error));
    this.#options.onChange();
  }

  #solve(key: string): void {
    this.problems.delete(key);
  }
}
