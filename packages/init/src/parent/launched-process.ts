import type { Readable, Writable } from 'node:stream';
import {
  type BorrowedFd,
  isSyscallError,
  pidfdSendSignal,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import type { LaunchOptions } from './launch.ts';
import type { Launching } from './launching.ts';
import type { LaunchPhase } from './phases.ts';

/** A program that runs, held by its pidfd. */
export class LaunchedProcess implements AsyncDisposable {
  readonly id: string;
  /** In this process's pid namespace. It is no handle: signal through this object. */
  readonly pid: number;
  /** Open until the process has ended or is detached. */
  readonly pidfd: BorrowedFd;
  readonly cgroupPaths: readonly string[];
  readonly phases: readonly LaunchPhase[];
  /** The other ends of the streams that were asked for as `pipe`; null for the others. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /**
   * How it ended; settles once it is reaped, its cgroup is removed and its `poststop` hooks have run. Rejects if `onExit` did:
   * the process is reaped all the same. Never settles after `detach`.
   */
  readonly exited: Promise<WaitStatus>;
  readonly #launching: Launching;
  #detached = false;

  constructor(launching: Launching, options: Pick<LaunchOptions, 'onExit' | 'poststop'> = {}) {
    this.#launching = launching;
    this.id = launching.plan.id;
    this.pid = launching.child.pid;
    this.pidfd = launching.child.pidfd.borrow();
    this.cgroupPaths = launching.cgroupPaths;
    this.phases = launching.clock.phases;
    this.stdin = launching.stdio.stdin;
    this.stdout = launching.stdio.stdout;
    this.stderr = launching.stdio.stderr;
    this.exited = this.#watch(options);
    // Who does not ask for the status is not told of an onExit that failed.
    this.exited.catch(() => undefined);
  }

  async #watch({
    onExit,
    poststop,
  }: Pick<LaunchOptions, 'onExit' | 'poststop'>): Promise<WaitStatus> {
    const status = await this.#launching.child.ended;
    try {
      await onExit?.(status);
    } finally {
      await this.#launching.finish(poststop !== 'caller');
    }
    return status;
  }

  /** Sends a signal; a process that has already ended is no error. @throws SyscallError for a signal that does not exist */
  signal(signal: NodeJS.Signals | number): void {
    const { pidfd } = this.#launching.child;
    if (pidfd.closed) return;
    try {
      pidfdSendSignal(pidfd, signal);
    } catch (error) {
      if (!isSyscallError(error, 'ESRCH')) throw error;
    }
  }

  /** Stops watching and closes our descriptors; the program runs on, and this object no longer learns its end. */
  detach(): void {
    this.#detached = true;
    this.#launching.detach();
  }

  /** Kills the process and waits until it is gone, and all that `exited` waits for is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#detached) return;
    this.signal('SIGKILL');
    await this.exited.catch(() => undefined);
  }
}
