import { resolve } from 'node:path';
import type { LaunchOptions, OciSpec } from '@pilotlight/init';
import { pidfdInode, pinPidfd } from '@pilotlight/scm-rights';
import { type JsonValue, stringifyExactJson } from '@pilotlight/sync';
import { openDirectory } from '../disk/open-directory.ts';
import { writeOnce } from '../disk/write-once.ts';
import { CleanupError, StoreError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { formatProcRecord, type ProcRecord, type Tier } from '../record/proc-record.ts';
import { generateRecordId, parseRecordId } from '../record/record-id.ts';
import { removeRecord } from '../record/remove-record.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { here } from '../supervision/here.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { removeCgroups } from './cgroups.ts';
import { ExitWriter } from './exit-writer.ts';
import { adoptPidfd } from './adopt-pidfd.ts';
import { launchAtMonitor } from './launch-at-monitor.ts';
import { LiveProcess } from './live-process.ts';
import { reserveRecord } from './reserve-record.ts';
import type { Prepared, StoreContext } from './store-context.ts';

/** Those that end a running program need a watcher; a stored process outlives its own. */
type RunLimit = 'signal' | 'timeoutMs' | 'maxOutputBytes';

/** What to launch, and with which streams; see `LaunchOptions` of @pilotlight/init for the latter. */
export interface LaunchRequest extends Omit<
  LaunchOptions,
  'onExit' | 'poststop' | 'launchSignal' | RunLimit
> {
  /** 1 to 255 of `A-Z a-z 0-9 _ + - .`; generated when left out. */
  id?: string;
  spec: OciSpec;
  /** The bundle's directory; relative paths in the specification start there. */
  bundle: string;
  /** Ends the launch, of which nothing is left then. Does not end a program that runs. */
  signal?: AbortSignal;
  /**
   * Called when everything but the program is done and recorded, before the program runs. If it fails nothing runs, and
   * nothing is left.
   */
  beforeRun?: (process: { id: string; pid: number }) => Promise<void> | void;
}

/** A launch that came through: what was recorded, and the running program. */
export interface LaunchedRecord {
  spec: SpecRecord;
  proc: ProcRecord;
  live: LiveProcess;
}

/**
 * Launches and records, in the one order that loses nothing: no program runs that is not recorded and, in tier A, pinned,
 * in tier B, held by monitor and keeper; whatever of us dies in between. In tier C the monitor does it.
 *
 * Whatever fails, nothing is left of it. Throws InvalidIdError, IdInUseError, RootError, TierError, BusyError, MonitorError,
 * CannotTravelError, and the errors of `prepareLaunch`.
 */
export async function launch(
  context: StoreContext,
  request: LaunchRequest,
): Promise<LaunchedRecord> {
  const id = request.id === undefined ? generateRecordId() : parseRecordId(request.id);
  const { signal } = request;
  signal?.throwIfAborted();
  const { prepareLaunch, validateSpec } = await import('@pilotlight/init');
  const spec: SpecRecord = {
    schema: 1,
    id,
    bundle: resolve(request.bundle),
    createdAt: new Date().toISOString(),
    spec: validateSpec(request.spec),
  };
  const { monitor } = context;
  if (monitor !== undefined && (await context.root.tier()) === 'C') {
    const launched = await launchAtMonitor({ ...context, monitor }, { ...request, id }, spec);
    context.live.set(id, launched.live);
    return launched;
  }
  const launcher = context.launcher ?? prepareLaunch;
  const { lock, tier } = await context.root.enterToLaunch(signal);
  using _rootLock = lock;
  // Both locks are kept to the end: a free record lock means that no launcher is alive.
  await using record = await reserveRecord(context.root, id, signal);
  const attempt = new LaunchAttempt(context, record, spec, tier);
  let launched: LaunchedRecord;
  try {
    launched = await attempt.run(launcher, request);
  } catch (error) {
    throw await attempt.undo(error);
  }
  context.live.set(id, launched.live);
  await context.at('started');
  return launched;
}

class LaunchAttempt {
  readonly #context: StoreContext;
  readonly #record: LockedRecord;
  readonly #spec: SpecRecord;
  readonly #tier: Tier;
  #writer: ExitWriter | undefined;
  #prepared: Prepared | undefined;
  #running = false;

  constructor(context: StoreContext, record: LockedRecord, spec: SpecRecord, tier: Tier) {
    this.#context = context;
    this.#record = record;
    this.#spec = spec;
    this.#tier = tier;
  }

  async run(
    launcher: NonNullable<StoreContext['launcher']>,
    request: LaunchRequest,
  ): Promise<LaunchedRecord> {
    const { at } = this.#context;
    const { directory, pinPath } = this.#record;
    const { id: _id, spec: _spec, bundle: _bundle, beforeRun, signal, ...rest } = request;
    const options = signal === undefined ? rest : { ...rest, launchSignal: signal };
    await at('reserved');
    const text = `${stringifyExactJson(this.#spec as unknown as JsonValue)}\n`;
    await writeOnce(directory, recordFiles.spec, text);
    await at('specified');

    const prepared = await this.#prepare(launcher, options);
    await at('prepared');

    // Nothing may be executed before the two below are done.
    if (this.#tier === 'A') {
      pinPidfd(prepared.pidfd, pinPath);
      await at('pinned');
    } else if (this.#tier === 'B') {
      await adoptPidfd(this.#context, this.#record.id, prepared.pidfd, signal);
      await at('pinned');
    }
    const proc = this.#describe(prepared);
    await writeOnce(directory, recordFiles.proc, formatProcRecord(proc));
    await at('recorded');

    await beforeRun?.({ id: proc.id, pid: proc.pid });
    signal?.throwIfAborted();
    await writeOnce(directory, recordFiles.released, '');
    this.#writer!.describe({ released: true });
    await at('released');
    this.#running = true;
    const launched = await prepared.run();
    const live = new LiveProcess(this.#spec.id, proc, launched, this.#writer);
    return { spec: this.#spec, proc, live };
  }

  /** Removes what was made; returns what to throw. */
  async undo(error: unknown): Promise<unknown> {
    const failures: unknown[] = [];
    const prepared = this.#prepared;
    const attempts = [
      // A failed run has done that itself.
      async () => this.#running || prepared?.abort(),
      async () => removeCgroups(prepared?.cgroupPaths ?? []),
      async () => this.#writer?.close(),
      async () => removeRecord(this.#context.root.layout, this.#record),
    ];
    for (const attempt of attempts) {
      await attempt().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length === 0) return error;
    return new CleanupError(`launch ${this.#spec.id}`, error, failures);
  }

  async #prepare(
    launcher: NonNullable<StoreContext['launcher']>,
    options: LaunchOptions,
  ): Promise<Prepared> {
    const { id, spec, bundle } = this.#spec;
    // With a folder of its own, which stays open when the locks are released.
    const writer = new ExitWriter(id, await openDirectory(this.#record.path), {
      // The pin has it as long as it takes; nothing else has.
      retries: this.#tier !== 'A',
    });
    this.#writer = writer;
    this.#prepared = await launcher(
      { id, spec: spec as unknown as OciSpec, bundle },
      // The container is there until it is deleted, and so are its hooks.
      { ...options, poststop: 'caller', onExit: (status) => writer.record(status) },
    );
    writer.describe({ cgroupPaths: this.#prepared.cgroupPaths });
    return this.#prepared;
  }

  #describe({ pid, pidfd, cgroupPaths }: Prepared): ProcRecord {
    // Safe to read by number: the child is not reaped while its launcher holds it.
    const startTicks = readStartTicks(pid);
    if (startTicks === undefined) {
      throw new StoreError('ERR_STORE_VANISHED', `record process ${pid}: it is gone already`, {
        hint: 'Something reaped the child before its launcher did; do not wait for any child.',
      });
    }
    const { bootId, namespaces } = here();
    return {
      schema: 1,
      id: this.#spec.id,
      pid,
      startTicks,
      bootId,
      pidfsIno: pidfdInode(pidfd) ?? null,
      tier: this.#tier,
      gate: 'held',
      bundle: this.#spec.bundle,
      cgroupPaths: [...cgroupPaths],
      namespaces,
      recordedAt: new Date().toISOString(),
    };
  }
}
