import type { Readable, Writable } from 'node:stream';
import type { BorrowedFd, WaitStatus } from '@pilotlight/scm-rights';
import { type CgroupCounters, readCgroupCounters } from '../cgroup/counters.ts';
import { decideEnd, type End, hasFailed, unknownEnd } from '../end/end.ts';
import type { ProcessTree } from '../end/process-tree.ts';
import { RunLimits, type RunLimitOptions } from '../end/run-limits.ts';
import { signalProcess } from '../end/signal-process.ts';
import type { LaunchOptions } from './launch.ts';
import type { Launching } from './launching.ts';
import type { LaunchPhase } from './phases.ts';
import type { Stdio } from './stdio.ts';
import { type WebStreams, WebViews } from './web-streams.ts';

/** What a program said and how it ended. */
export type Output = { stdout: string; stderr: string; end: End };

type WatchOptions = RunLimitOptions & Pick<LaunchOptions, 'onExit' | 'poststop'>;

/**
 * A program that runs, held by its pidfd.
 *
 * Disposed of, with `await using` or by hand, it is killed with everything that it started; see
 * `Symbol.asyncDispose`.
 */
export class LaunchedProcess implements AsyncDisposable {
  readonly id: string;
  /** In this process's pid namespace. It is no handle: signal through this object. */
  readonly pid: number;
  /** Open until the process has ended or is detached. */
  readonly pidfd: BorrowedFd;
  readonly cgroupPaths: readonly string[];
  readonly phases: readonly LaunchPhase[];
  /**
   * The other ends of the streams that were asked for as `pipe`; null for the others. A program
   * waits while nobody reads what it writes. When it has ended, what is left is kept in memory for
   * whoever reads later, and the pipes are closed.
   */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The same streams as web streams, made on demand. Use either the one or the other. */
  readonly web: WebStreams;
  /**
   * How it ended; settles once it is reaped, its cgroup is removed and its `poststop` hooks have run. Rejects if `onExit` did:
   * the process is reaped all the same. Never settles after `detach`.
   */
  readonly exited: Promise<WaitStatus>;
  /** How it ended, and why. Settles when `exited` does, and never rejects. */
  readonly ended: Promise<End>;
  readonly #launching: Launching;
  readonly #stdio: Stdio;
  readonly #tree: ProcessTree;
  readonly #limits: RunLimits;
  #status: WaitStatus | undefined;
  #counters: CgroupCounters | undefined;
  #detached = false;
  #disposed: Promise<void> | undefined;

  constructor(launching: Launching, options: WatchOptions = {}) {
    const { plan, child, stdio, groups } = launching;
    this.#launching = launching;
    this.#stdio = stdio;
    this.id = plan.id;
    this.pid = child.pid;
    this.pidfd = child.pidfd.borrow();
    this.cgroupPaths = groups.paths;
    this.phases = launching.clock.phases;
    this.stdin = stdio.stdin;
    this.stdout = stdio.stdout;
    this.stderr = stdio.stderr;
    this.web = new WebViews(this);
    this.#tree = launching.processTree();
    this.#limits = new RunLimits(options, () => this.#tree.kill());
    const { budget } = stdio;
    budget?.onExceeded(() =>
      this.#limits.reach({
        reason: 'outputLimit',
        because: `it wrote more than ${budget.maxBytes} bytes`,
      }),
    );
    this.exited = this.#watch(options);
    this.ended = this.exited.then(
      () => this.#decide(),
      (error: unknown) => this.#decide(error),
    );
  }

  async #watch({ onExit, poststop }: WatchOptions): Promise<WaitStatus> {
    try {
      const status = await this.#launching.child.ended;
      this.#status = status;
      await onExit?.(status);
      return status;
    } finally {
      this.#limits.disarm();
      await this.#readCounters();
      await this.#tree.killed();
      await this.#launching.finish(poststop !== 'caller');
      await this.#drain();
    }
  }

  /** Before the cgroup is removed; and only for a program that failed, so that no other pays for it. */
  async #readCounters(): Promise<void> {
    const { made } = this.#launching.groups;
    if (this.#status === undefined || !hasFailed(this.#status) || made.length === 0) return;
    this.#counters = await readCgroupCounters(made);
  }

  /** What comes out of the pipes now may still be too much, so it must be seen before the end is told. */
  async #drain(): Promise<void> {
    const drained = this.#stdio.drain();
    if (this.#stdio.budget !== undefined) await drained;
  }

  #decide(error?: unknown): End {
    if (this.#status === undefined) return unknownEnd(error);
    return decideEnd(this.#status, this.#limits.stop, this.#counters);
  }

  /** Sends a signal; a process that has already ended is no error. @throws SyscallError for a signal that does not exist */
  signal(signal: NodeJS.Signals | number): void {
    const { pidfd } = this.#launching.child;
    if (!pidfd.closed) signalProcess(pidfd, signal);
  }

  /** Reads both outputs to their ends, as UTF-8, and waits. A stream that is no `pipe` is the empty text. */
  async output(): Promise<Output> {
    const [stdout, stderr, end] = await Promise.all([
      textOf(this.stdout),
      textOf(this.stderr),
      this.ended,
    ]);
    return { stdout, stderr, end };
  }

  /**
   * Stops watching and closes our descriptors; the program runs on, without limits, and this object
   * no longer learns its end. The streams stay the caller's.
   */
  detach(): void {
    this.#detached = true;
    this.#limits.disarm();
    this.#stdio.budget?.lift();
    this.#launching.detach();
  }

  /**
   * Kills the program with everything that it started, and resolves when all of that is proven dead,
   * reaped, and what was made for it is removed; unread output is thrown away. A program that has
   * ended is only cleaned up after.
   *
   * What a program started is found by its pid namespace or its cgroup. With neither, only its
   * first process is known: what that left behind lives on.
   *
   * Does nothing after `detach`.
   *
   * @throws TreeAliveError when a process survives SIGKILL, for example one that hangs in the kernel
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#detached ? Promise.resolve() : this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#tree.kill();
    await this.exited.catch(() => undefined);
    this.#stdio.destroy();
    await this.#tree.requireGone();
  }
}

async function textOf(stream: Readable | null): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
