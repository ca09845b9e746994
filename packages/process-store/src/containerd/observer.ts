import { flockExclusive, isScmRightsError, type OwnedFd, readiness } from '@pilotlight/scm-rights';
import { ProcessClosedError } from '../errors.ts';
import { type Conclusion, readConclusion } from './conclusion.ts';
import { openExitReader } from './fifos.ts';
import { processKey } from './process-key.ts';
import type { Supervision } from './supervision.ts';
import { type Orphan, takeOver } from './take-over.ts';

/** How long the lock of a supervisor that has hung up may still be held, as its descriptors are closed one by one. */
const LOCK_DEADLINE_MS = 1000;

/** Looks at a process that another program supervises, and takes over when that program goes before the process does. */
export class Observer {
  /** Resolves when the end is written down; rejects with ProcessClosedError after `close`, or with what was in the way. */
  readonly ended: Promise<Conclusion>;
  /** For messages to the supervisor; open until this one becomes it. */
  readonly control: OwnedFd;
  readonly #orphan: Orphan;
  readonly #stop = new AbortController();
  #supervision: Supervision | undefined;

  /** Takes over `control`. */
  constructor(orphan: Orphan, control: OwnedFd) {
    this.#orphan = orphan;
    this.control = control;
    this.ended = this.#observe();
    this.ended.catch(() => undefined);
  }

  /** Defined once it has taken over. */
  get supervision(): Supervision | undefined {
    return this.#supervision;
  }

  async close(): Promise<void> {
    const { container, id } = this.#orphan;
    this.#stop.abort(new ProcessClosedError('wait for the end of', processKey(container, id)));
    await this.#supervision?.close();
    await this.ended.catch(() => undefined);
  }

  async #observe(): Promise<Conclusion> {
    try {
      for (;;) {
        // First the reader, which is told of what happens from now on, then the questions about what has happened already.
        using reader = openExitReader(this.#orphan.paths.file('exit'));
        const conclusion = await readConclusion(this.#orphan.paths);
        if (conclusion !== undefined) return conclusion;
        const lock = await this.#tryLock();
        if (lock !== undefined) return await this.#takeOver(lock);
        await readiness.wait(reader, 'hangup', { signal: this.#stop.signal });
      }
    } finally {
      this.control.close();
    }
  }

  async #takeOver(lock: OwnedFd): Promise<Conclusion> {
    this.#supervision = await takeOver(this.#orphan, lock, this.control);
    if (this.#stop.signal.aborted) await this.#supervision.close();
    return this.#supervision.ended;
  }

  async #tryLock(): Promise<OwnedFd | undefined> {
    const { signal } = this.#stop;
    try {
      const path = this.#orphan.paths.file('lock');
      return await flockExclusive(path, { deadlineMs: LOCK_DEADLINE_MS, signal });
    } catch (error) {
      if (isScmRightsError(error, 'ERR_SCM_LOCK_TIMEOUT')) return undefined;
      throw error;
    }
  }
}
