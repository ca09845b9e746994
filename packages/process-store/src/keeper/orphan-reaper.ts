import {
  isSyscallError,
  type OwnedFd,
  peekChild,
  pidfdOpen,
  pidfdState,
  reapChild,
} from '@pilotlight/scm-rights';
import { openDirectory } from '../disk/open-directory.ts';
import type { StoreLayout } from '../layout.ts';
import type { ExitSource } from '../record/exit-record.ts';
import { type AtExit, nowhere } from '../supervision/exit-step.ts';
import { recordExit } from '../supervision/record-exit.ts';
import { childPids } from './children.ts';
import { findRecords, type FoundRecord, type Zombie } from './find-record.ts';

/** How long a zombie of no record may be Node's own child, which Node is about to reap. */
const STRANGER_MS = 1000;
/** For want of space, perhaps. */
const RETRY_MS = 1000;
/** In case a signal was missed. */
const SLOW_MS = 10_000;

/**
 * Reaps the children that this process has inherited as subreaper: peek, record, reap; each by its pidfd.
 *
 * Never waits for just any child: that would take the statuses of those that Node has spawned itself.
 */
export class OrphanReaper implements Disposable {
  readonly #layout: StoreLayout;
  readonly #source: ExitSource;
  readonly #at: AtExit;
  /** Zombies of no record, and since when. */
  readonly #strangers = new Map<number, { pidfd: OwnedFd; sinceMs: number }>();
  /** Children seen alive: when such a one is dead, it has just died. */
  #alive: ReadonlySet<number> = new Set();
  #sweeping: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #onSignal = (): void => void this.sweep();

  /** `source` is what the records of ends say. */
  constructor(layout: StoreLayout, source: ExitSource, at: AtExit = nowhere) {
    this.#at = at;
    this.#layout = layout;
    this.#source = source;
    process.on('SIGCHLD', this.#onSignal);
    this.#retryAfter(SLOW_MS);
  }

  /** Looks at all children once; resolves when those that were dead at the call have been dealt with. Never rejects. */
  async sweep(): Promise<void> {
    if (this.#closed) return;
    if (this.#sweeping !== undefined) {
      this.#again = true;
      return this.#sweeping;
    }
    this.#sweeping = this.#sweepUntilQuiet().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    process.off('SIGCHLD', this.#onSignal);
    clearTimeout(this.#timer);
    for (const { pidfd } of this.#strangers.values()) pidfd.close();
    this.#strangers.clear();
  }

  async #sweepUntilQuiet(): Promise<void> {
    let delayMs = SLOW_MS;
    do {
      this.#again = false;
      try {
        if (!(await this.#sweepOnce())) delayMs = RETRY_MS;
      } catch {
        // For want of descriptors or memory: nothing is reaped, so nothing is lost.
        delayMs = RETRY_MS;
      }
    } while (this.#again);
    this.#retryAfter(delayMs);
  }

  /** False if something is left to be done soon. */
  async #sweepOnce(): Promise<boolean> {
    const { zombies, alive } = lookAt(await childPids());
    try {
      const records = await this.#findRecords(zombies);
      const exitedAt = new Date().toISOString();
      const done = await Promise.all(
        zombies.map(async (zombie) => {
          const record = records.get(zombie.pid);
          if (record === undefined) return this.#meetStranger(zombie);
          const at = this.#alive.has(zombie.pid) ? exitedAt : undefined;
          return this.#bury(zombie, record, at);
        }),
      );
      this.#alive = alive;
      return !done.includes(false);
    } finally {
      for (const { pidfd } of zombies) pidfd.close();
    }
  }

  async #findRecords(zombies: readonly Zombie[]): Promise<Map<number, FoundRecord>> {
    return zombies.length === 0 ? new Map() : findRecords(this.#layout, zombies);
  }

  /** True once it is reaped, which it is not before its end is on disk. */
  async #bury(
    { pidfd }: Zombie,
    { key, proc, released }: FoundRecord,
    exitedAt: string | undefined,
  ): Promise<boolean> {
    try {
      const status = peekChild(pidfd);
      if (status === undefined) return false;
      await this.#at('ended');
      // ENOENT: deleted, and then its end is nobody's business.
      await using directory = await openDirectory(this.#layout.record(key));
      await recordExit(
        directory,
        { ...proc, released },
        { status, source: this.#source, ...(exitedAt === undefined ? {} : { exitedAt }) },
      );
    } catch (error) {
      if (isSyscallError(error, 'ECHILD')) return true;
      return false;
    }
    await this.#at('exitRecorded');
    reap(pidfd);
    await this.#at('reaped');
    return true;
  }

  /** True once it is gone. */
  #meetStranger({ pid }: Zombie): boolean {
    const known = this.#strangers.get(pid);
    if (known === undefined) {
      const pidfd = open(pid);
      if (pidfd === undefined) return true;
      this.#strangers.set(pid, { pidfd, sinceMs: performance.now() });
      return false;
    }
    // Node has reaped it, and its number is another's.
    const isGone = pidfdState(known.pidfd) === 'reaped';
    if (!isGone && performance.now() - known.sinceMs < STRANGER_MS) return false;
    if (!isGone) reap(known.pidfd);
    known.pidfd.close();
    this.#strangers.delete(pid);
    return true;
  }

  #retryAfter(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.sweep(), ms);
    this.#timer.unref();
  }
}

/** Which of these children are dead. The caller closes the pidfds. */
function lookAt(pids: readonly number[]): { zombies: Zombie[]; alive: ReadonlySet<number> } {
  const zombies: Zombie[] = [];
  const alive = new Set<number>();
  try {
    for (const pid of pids) {
      const pidfd = open(pid);
      if (pidfd === undefined) continue;
      if (pidfdState(pidfd) === 'exited') zombies.push({ pid, pidfd });
      else {
        alive.add(pid);
        pidfd.close();
      }
    }
  } catch (error) {
    for (const { pidfd } of zombies) pidfd.close();
    throw error;
  }
  return { zombies, alive };
}

/** Undefined if Node has reaped it since it was listed. */
function open(pid: number): OwnedFd | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function reap(pidfd: OwnedFd): true {
  try {
    reapChild(pidfd);
  } catch (error) {
    // Somebody was faster.
    if (!isSyscallError(error, 'ECHILD')) throw error;
  }
  return true;
}
