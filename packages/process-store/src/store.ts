import { resolve } from 'node:path';
import type { OwnedFd } from '@pilotlight/scm-rights';
import type { LostEvents, StoreEvent } from './events/store-event.ts';
import { watchEvents, type WatchOptions } from './events/watch-events.ts';
import { removeProcess, type RemoveOptions } from './process/remove.ts';
import { exec, type ExecRequest } from './process/exec.ts';
import type { LaunchedRecord } from './process/launch-attempt.ts';
import { launch, type LaunchRequest } from './process/launch.ts';
import type { LiveProcess } from './process/live-process.ts';
import { type ListOptions, load, loadAll } from './process/load.ts';
import { DEFAULT_IDLE_MS } from './keeper/settings.ts';
import type { MonitorConnection } from './monitor/client/connect-monitor.ts';
import { ensureMonitor } from './monitor/client/ensure-monitor.ts';
import type { MonitorInfo } from './monitor/wire/client-protocol.ts';
import { type SignalOptions, signalProcess } from './process/signal.ts';
import { monitorInfo, type StoreInfo, storeInfo } from './process/store-info.ts';
import type { Executor, Launcher, LaunchStep, StoreContext } from './process/store-context.ts';
import { openConsole } from './process/at-monitor.ts';
import { restart, type RestartOptions } from './process/restart.ts';
import { stop, type StopOptions } from './process/stop.ts';
import { finish, wait } from './process/wait.ts';
import type { ExitRecord } from './record/exit-record.ts';
import type { Generation } from './record/generation.ts';
import type { Tier } from './record/proc-record.ts';
import { summarizeSpec } from './record/spec-record.ts';
import { type Probe, StoreRoot } from './root/store-root.ts';
import type { ExitStep } from './supervision/exit-step.ts';
import { StoredProcess } from './stored-process.ts';

export interface OpenStoreOptions {
  /** False leaves a root that does not exist alone until the first launch; such a store is empty. Default true. */
  create?: boolean;
  /** What makes the child; `prepareLaunch` of @pilotlight/init unless given. */
  launcher?: Launcher;
  /** The same for a process that is executed in a container; `prepareExec` unless given. */
  executor?: Executor;
  /** What finds out what the kernel offers; `probePidfd` of @pilotlight/scm-rights unless given. */
  probe?: Probe;
  /**
   * The tier of launches by this store, where it is to be a lower one than the kernel allows; see `tierFacts`. Processes that
   * were launched in another one keep theirs.
   */
  tier?: Tier;
  /** How long a monitor that is started by this store stays with nothing to do, in milliseconds from 0; 10,000 unless given. */
  monitorIdleMs?: number;
  /**
   * Called after each step of a launch, a restart or an exit that this store does, before the next one; for tests that stop
   * there.
   */
  at?: (step: LaunchStep | ExitStep) => Promise<void> | void;
}

/** What `list` found. */
export interface ProcessList {
  /** Sorted by key. */
  processes: StoredProcess[];
  /** Records that cannot be read. They stay as they are. */
  problems: { id: string; problem: Error }[];
}

/**
 * Opens the store in the directory `root`, made with mode 0700 if it does not exist.
 *
 * Mounts nothing: the first launch makes the root a private mount, where the kernel can pin pidfds there. The deletion of
 * the last record, or closing an empty store, removes all that was made, and the directory too if a store made it.
 * Throws RootError, and TierError for a tier that cannot be had here.
 */
export async function openStore(
  root: string,
  options: OpenStoreOptions = {},
): Promise<ProcessStore> {
  const { tier, monitorIdleMs: idleMs = DEFAULT_IDLE_MS } = options;
  const storeRoot = new StoreRoot(resolve(root), options.probe, tier, options.at);
  if (options.create === false) await storeRoot.check();
  else await storeRoot.create();
  // Before anything is launched in the belief that it is so.
  if (tier !== undefined) await storeRoot.tier();
  return new ProcessStore({
    root: storeRoot,
    live: new Map(),
    launcher: options.launcher,
    executor: options.executor,
    at: options.at ?? (() => undefined),
    hasSteps: options.at !== undefined,
    monitor: { connect: (signal) => ensureMonitor(storeRoot.layout, { idleMs, signal }) },
  });
}

/** Processes recorded in one directory. Any number of programs may use the same root at the same time. */
export class ProcessStore implements AsyncDisposable {
  readonly #context: StoreContext;
  readonly #finishing = new Set<Promise<void>>();
  /** Keeps the monitor. */
  #connection: MonitorConnection | undefined;

  /** Use `openStore`. */
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** The absolute root directory. */
  get root(): string {
    return this.#context.root.layout.root;
  }

  /**
   * What launches from here on promise; see `tierFacts`. `A`: the kernel keeps the status, whatever of us dies, until reboot.
   * `B` and `C`: a monitor and its keeper do, of which one may die. `D`: a status is known if a process of ours lives to see
   * it; else it is recorded as unknown.
   */
  async tier(): Promise<Tier> {
    return this.#context.root.tier();
  }

  /**
   * Launches a program. Resolves when it runs, and not before it is on disk; if it fails nothing is left of it.
   *
   * The streams in the result belong to the caller. While this program lives it records the exit; see
   * `StoredProcess.detach`. Throws InvalidIdError, StdioRequestError, InvalidRestartError, IdInUseError, RootError, DiskError,
   * BusyError; StdioError and FifoTimeoutError for streams that last; MonitorError where the monitor has a part in it,
   * CannotTravelError in tier C; the signal's reason, and the errors of `prepareLaunch`.
   */
  async launch(request: LaunchRequest): Promise<StoredProcess> {
    return this.#launched(await launch(this.#context, request));
  }

  /**
   * Executes a process in a container, which runs or waits at its gate. It is recorded as a launched one is, with the key
   * `CONTAINER/ID`, until it or the container is deleted.
   *
   * Throws InvalidIdError, NotFoundError, NotRunningError, IdInUseError, ForeignNamespaceError, BusyError, what else `launch`
   * throws but InvalidRestartError, and the errors of `prepareExec`.
   */
  async exec(container: string, request: ExecRequest): Promise<StoredProcess> {
    return this.#launched(await exec(this.#context, container, request));
  }

  /**
   * The process of that key, launched by whomever: `box` is a container's, `box/e1` was executed in it.
   *
   * Throws InvalidIdError, NotFoundError, BadRecordError, NewerSchemaError, HeldBackError, BusyError, the signal's reason.
   */
  async load(key: string, options: { signal?: AbortSignal } = {}): Promise<StoredProcess> {
    const { facts, state } = await load(this.#context.root, key, options.signal);
    return new StoredProcess(this.#context, facts, state);
  }

  /**
   * All processes. One bad record neither stops this nor is touched by it; launches under way are not listed yet.
   *
   * Throws RootError, the signal's reason.
   */
  async list(options: ListOptions = {}): Promise<ProcessList> {
    const { loaded, problems } = await loadAll(this.#context.root, options);
    const processes = loaded.map(
      ({ facts, state }) => new StoredProcess(this.#context, facts, state),
    );
    return { processes, problems };
  }

  /**
   * What happens to the processes here, as it is told by whomever: at least once, in order, and from a cursor on if one is
   * given, even one of an earlier program. An end that nobody waits for is told when somebody looks at it.
   *
   * Keeps the store from being removed while it is empty. Throws InvalidCursorError; the iteration is rejected with the
   * signal's reason, or RootError.
   */
  watch(options: WatchOptions = {}): AsyncGenerator<StoreEvent | LostEvents, never> {
    return watchEvents(this.#context.root, options);
  }

  /**
   * Waits until a process has ended, whoever launched it, and tells how. The exit is on disk then, unless the disk takes
   * nothing: then whoever has the status keeps it.
   *
   * Rejects with the signal's reason, InvalidIdError, NotFoundError, BadRecordError, NewerSchemaError, HeldBackError,
   * ForeignNamespaceError.
   */
  async wait(id: string, options: { signal?: AbortSignal } = {}): Promise<ExitRecord> {
    return wait(this.#context, id, undefined, options.signal);
  }

  /**
   * Sends a signal, by name or number, to exactly the recorded process; never by its pid alone.
   *
   * Throws NotRunningError, InvalidIdError, NotFoundError, BadRecordError, ForeignNamespaceError, and InvalidArgumentError of
   * @pilotlight/scm-rights for what is no signal.
   */
  async signal(
    id: string,
    signal: NodeJS.Signals | number,
    options: SignalOptions = {},
  ): Promise<void> {
    await signalProcess(this.#context.root, id, undefined, signal, options);
  }

  /**
   * Starts a container that has ended again, under the same id and with the specification it was launched with. Streams that
   * last are opened again; in place of those of a launcher there is /dev/null. Until it runs, the old record with its exit is
   * there.
   *
   * Throws NotStoppedError, InvalidIdError, NotFoundError, BadRecordError, HeldBackError, DiskError, BusyError, StdioError,
   * FifoTimeoutError, MonitorError, the signal's reason, and the errors of `prepareLaunch`.
   */
  async restart(id: string, options: RestartOptions = {}): Promise<StoredProcess> {
    return this.#launched(await restart(this.#context, id, undefined, options));
  }

  /**
   * A copy of the master of a process's terminal, which monitor and keeper hold: to resize it, and to write what the program
   * reads. What the program writes is read by the monitor. The caller closes it.
   *
   * For a process launched with `stdio: { terminal: true }`. Throws NoConsoleError for another one, NotFoundError,
   * MonitorError, InvalidIdError.
   */
  async console(key: string, options: { signal?: AbortSignal } = {}): Promise<OwnedFd> {
    return openConsole(this.#context, key, options.signal);
  }

  /**
   * Asks a process to end, kills it after `graceMs`, and tells how it ended; see `StopOptions`. One that has ended is left as
   * it is.
   *
   * Rejects with StillAliveError, InvalidIdError, NotFoundError, BadRecordError, HeldBackError, ForeignNamespaceError, BusyError,
   * DiskError, the signal's reason, and InvalidArgumentError of @pilotlight/scm-rights for what is no signal.
   */
  async stop(key: string, options: StopOptions = {}): Promise<ExitRecord> {
    return stop(this.#context, key, undefined, options);
  }

  /**
   * Removes a process that has ended, with its cgroup and what was executed in it, and runs its `poststop` hooks. `force` kills
   * first, and removes a damaged record too if it is proven that its process does not run.
   *
   * Throws NotStoppedError, StillAliveError, InvalidIdError, NotFoundError, BadRecordError, DamagedRecordError, NewerSchemaError,
   * HeldBackError, ForeignNamespaceError, BusyError, the signal's reason.
   */
  async remove(id: string, options: RemoveOptions = {}): Promise<void> {
    await removeProcess(this.#context, id, undefined, options);
  }

  /** What this store is, and what runs for it. Starts nothing; a monitor has five seconds to answer. Throws RootError, TierError. */
  async info(): Promise<StoreInfo> {
    return storeInfo(this.#context);
  }

  /**
   * Starts the monitor and its keeper, if they do not run, and keeps them until this store is closed. From then on ends are
   * recorded when they happen, whoever waits. In tiers B and C a launch starts them by itself.
   *
   * Throws MonitorError, RootError, the signal's reason.
   */
  async startMonitor(options: { signal?: AbortSignal } = {}): Promise<MonitorInfo> {
    const { root, monitor } = this.#context;
    await root.create();
    this.#connection?.close();
    this.#connection = await monitor!.connect(options.signal);
    return monitorInfo(root.layout.root, this.#connection, options.signal);
  }

  /** Lets go of all programs launched here, which run on, and of the monitor, and removes an empty root. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { live, root } = this.#context;
    this.#connection?.close();
    await Promise.all([...live.values()].map((process) => process.detach()));
    await Promise.all(this.#finishing);
    await root.tidy();
  }

  #launched({ spec, proc, live, settled }: LaunchedRecord): StoredProcess {
    this.#finishLater(settled);
    this.#finishLater(this.#finishEnded(live, proc));
    const facts = {
      spec,
      proc,
      released: true,
      exit: undefined,
      pinFile: proc.tier === 'A',
      stopAsked: false,
      hasExecs: false,
      hasTemporaries: false,
      told: { start: false, exit: false },
      empty: false,
      strangers: [],
      // It was accepted as a specification, so it has a summary.
      summary: summarizeSpec(spec.spec)!,
    };
    return new StoredProcess(this.#context, facts, 'running', live);
  }

  /** When its end is recorded the pin has done its duty, and the end can be told. */
  async #finishEnded(live: LiveProcess, proc: Generation): Promise<void> {
    const { root, live: all } = this.#context;
    await live.left;
    if (live.exit !== undefined) await root.atExit('reaped');
    // Deleted already, or the key is another's by now.
    if (all.get(live.key) !== live) return;
    all.delete(live.key);
    // What stays undone here, the next command that touches the record does.
    await finish(root, live.key, proc).catch(() => undefined);
  }

  /** What goes on by itself, and is waited for when the store is closed. */
  #finishLater(work: Promise<void>): void {
    this.#finishing.add(work);
    void work.then(() => this.#finishing.delete(work));
  }
}
