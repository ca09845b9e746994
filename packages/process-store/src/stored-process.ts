import type { Readable, Writable } from 'node:stream';
import type { LaunchPhase } from '@pilotlight/init';
import { setWindowSize } from '@pilotlight/scm-rights';
import type { ExitRecord } from './record/exit-record.ts';
import { deriveState, type ProcessState } from './record/derive-state.ts';
import { formatRecordKey } from './record/record-key.ts';
import type { Tier } from './record/proc-record.ts';
import type { SpecSummary } from './record/spec-record.ts';
import { openConsole } from './process/at-monitor.ts';
import { removeProcess, type RemoveOptions } from './process/remove.ts';
import type { LiveProcess } from './process/live-process.ts';
import { type SignalOptions, signalProcess } from './process/signal.ts';
import type { StoreContext } from './process/store-context.ts';
import type { ProcessFacts } from './process/view-record.ts';
import { stop, type StopOptions } from './process/stop.ts';
import { wait } from './process/wait.ts';

let readFacts: (process: StoredProcess) => ProcessFacts;

/** What the record of a stored process says; for the other files of this package. */
export function factsOf(process: StoredProcess): ProcessFacts {
  return readFacts(process);
}

/**
 * A recorded process. From `launch` it also has the streams of the running program.
 *
 * It means this one process: when its record was deleted and its id given to another, methods throw NotFoundError.
 */
export class StoredProcess {
  static {
    readFacts = (process) => process.#facts;
  }

  /** What `ProcessStore.load` finds it by: `box`, or `box/e1` for a process executed in that container. */
  readonly key: string;
  /** The container's id; its own for a container. */
  readonly container: string;
  /** Within its container, for an executed process. */
  readonly id: string;
  /** In the pid namespace of the launcher. It is no handle: use `signal`. */
  readonly pid: number;
  /** Absolute directory. */
  readonly bundle: string;
  /** What it runs. */
  readonly spec: SpecSummary;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** The one it was launched in. */
  readonly tier: Tier;
  /** Absolute; empty where it has no cgroup of its own. */
  readonly cgroupPaths: readonly string[];
  readonly #context: StoreContext;
  readonly #facts: ProcessFacts;
  readonly #live: LiveProcess | undefined;
  #state: ProcessState;
  #exit: ExitRecord | undefined;

  /** Obtain it from a store. */
  constructor(context: StoreContext, facts: ProcessFacts, state: ProcessState, live?: LiveProcess) {
    const { id, container } = facts.proc;
    this.id = id;
    this.container = container ?? id;
    this.key = formatRecordKey({ container: this.container, exec: container && id });
    this.pid = facts.proc.pid;
    this.bundle = facts.proc.bundle;
    this.spec = facts.summary;
    this.createdAt = facts.spec.createdAt;
    this.tier = facts.proc.tier;
    this.cgroupPaths = facts.proc.cgroupPaths;
    this.#context = context;
    this.#facts = facts;
    this.#live = live;
    this.#state = state;
    this.#exit = facts.exit;
  }

  /** As of the launch, the load, or the last `wait`; load it again to learn the present one. */
  get state(): ProcessState {
    return this.#state;
  }

  /** How it ended, if that was known by then. */
  get exit(): ExitRecord | undefined {
    return this.#exit;
  }

  /** The stream to its standard input, where `launch` was asked for a pipe; else null. */
  get stdin(): Writable | null {
    return this.#live?.launched.stdin ?? null;
  }

  /** The stream of its standard output, where `launch` was asked for a pipe; else null. */
  get stdout(): Readable | null {
    return this.#live?.launched.stdout ?? null;
  }

  /** The stream of its standard error, where `launch` was asked for a pipe; else null. */
  get stderr(): Readable | null {
    return this.#live?.launched.stderr ?? null;
  }

  /** What the launch spent its time on; empty unless it was launched here. */
  get phases(): readonly LaunchPhase[] {
    return this.#live?.launched.phases ?? [];
  }

  /** See `ProcessStore.wait`. */
  async wait(options: { signal?: AbortSignal } = {}): Promise<ExitRecord> {
    if (this.#exit !== undefined) return this.#exit;
    const { proc } = this.#facts;
    this.#exit = await wait(this.#context, this.key, proc, options.signal, this.#live);
    this.#state = deriveState({ released: this.#facts.released, exit: this.#exit }, undefined);
    return this.#exit;
  }

  /** See `ProcessStore.signal`. */
  async signal(signal: NodeJS.Signals | number, options: SignalOptions = {}): Promise<void> {
    await signalProcess(this.#context.root, this.key, this.#facts.proc, signal, options);
  }

  /**
   * Gives its terminal a size, in characters from 0 to 65535: one that the monitor holds, see `ProcessStore.console`. Throws as
   * that, and InvalidArgumentError of @pilotlight/scm-rights.
   */
  async resize(columns: number, rows: number): Promise<void> {
    using master = await openConsole(this.#context, this.key);
    setWindowSize(master, { columns, rows });
  }

  /** See `ProcessStore.stop`. */
  async stop(options: StopOptions = {}): Promise<ExitRecord> {
    this.#exit = await stop(this.#context, this.key, this.#facts.proc, options);
    this.#state = 'stopped';
    return this.#exit;
  }

  /** See `ProcessStore.remove`. */
  async remove(options: RemoveOptions = {}): Promise<void> {
    await removeProcess(this.#context, this.key, this.#facts.proc, options);
  }

  /** Stops watching and lets go of it: this process may end. In tiers A to C its status is not lost by that. Never rejects. */
  async detach(): Promise<void> {
    await this.#live?.detach();
  }
}
