import { type OwnedFd, pidfdInode, pinPidfd, type WaitStatus } from '@pilotlight/scm-rights';
import { type JsonValue, stringifyExactJson } from '@pilotlight/sync';
import { markOnce } from '../disk/mark-once.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { writeOnce } from '../disk/write-once.ts';
import {
  CleanupError,
  DiskError,
  errnoCode,
  isDiskRefusal,
  RootError,
  StoreError,
} from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { formatProcRecord, type ProcRecord, type Tier } from '../record/proc-record.ts';
import { MAX_RECORD_BYTES } from '../record/parse-record.ts';
import { removeRecord } from '../record/remove-record.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { here } from '../supervision/here.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { tell } from '../supervision/tell.ts';
import { attendAtMonitor, type HeldFd, holdAtMonitor, needsMonitor } from './at-monitor.ts';
import { removeCgroups } from './cgroups.ts';
import { ExitWriter } from './exit-writer.ts';
import { LiveProcess } from './live-process.ts';
import type { PreparedProcess } from './prepare-lasting.ts';
import type { Prepared, StoreContext } from './store-context.ts';

/** A launch that came through: what was recorded, and the running program. */
export interface LaunchedRecord {
  spec: SpecRecord;
  proc: ProcRecord;
  live: LiveProcess;
  /** Resolves when its start is in the journal and the locks are free. Never rejects. */
  settled: Promise<void>;
}

/** Where a launch is recorded. Both locks are kept to its end: a free record lock means that no launcher is alive. */
export interface LaunchPlace {
  rootLock: OwnedFd;
  record: LockedRecord;
  spec: SpecRecord;
  tier: Tier;
  /** For a record that is made beside the one it replaces: puts it there, before the gate is opened, and back. */
  replacement?: { enter: () => Promise<void>; leave: () => Promise<void> };
}

/** What every launch is asked for by its caller, whatever it launches. */
export interface LaunchConditions {
  /** Ends the launch, of which nothing is left then; once the program runs it does nothing. */
  signal?: AbortSignal | undefined;
  /** Called when the process is recorded and its program has not run. `pid` is its number here, no handle. What it throws ends the launch. */
  beforeRun?:
    | ((process: { key: string; id: string; pid: number }) => Promise<void> | void)
    | undefined;
}

/** Brings the child to its gate, and tells `onExit` how it ended. */
export type Prepare = (onExit: (status: WaitStatus) => Promise<void>) => Promise<PreparedProcess>;

/**
 * Launches into a record that is reserved, and takes over its locks. Whatever fails, nothing is left.
 *
 * Throws BusyError, CleanupError, and what `prepare` throws.
 */
export async function attemptLaunch(
  context: StoreContext,
  place: LaunchPlace,
  conditions: LaunchConditions,
  prepare: Prepare,
): Promise<LaunchedRecord> {
  const { record, rootLock } = place;
  const attempt = new LaunchAttempt(context, place);
  let ran: Omit<LaunchedRecord, 'settled'>;
  try {
    ran = await attempt.run(prepare, conditions);
  } catch (error) {
    const thrown = await attempt.undo(error);
    await release(record, rootLock);
    throw thrown;
  }
  context.live.set(record.key, ran.live);
  // The caller need not wait for that. If it fails, whoever looks at the record next does it.
  const settled = attempt
    .tellStart(ran.proc)
    .catch(() => undefined)
    .finally(() => release(record, rootLock));
  await context.at('started');
  return { ...ran, settled };
}

async function release(record: LockedRecord, rootLock: OwnedFd): Promise<void> {
  await record[Symbol.asyncDispose]();
  rootLock.close();
}

/** One launch in the folder of its record, which is locked. */
class LaunchAttempt {
  readonly #context: StoreContext;
  readonly #record: LockedRecord;
  readonly #spec: SpecRecord;
  readonly #tier: Tier;
  readonly #replacement: LaunchPlace['replacement'];
  #replaced = false;
  #writer: ExitWriter | undefined;
  #prepared: PreparedProcess | undefined;
  #running = false;

  constructor(context: StoreContext, { record, spec, tier, replacement }: LaunchPlace) {
    this.#context = context;
    this.#record = record;
    this.#spec = spec;
    this.#tier = tier;
    this.#replacement = replacement;
  }

  /** Does every step in its order. Whatever it throws, call `undo`. */
  async run(
    prepare: Prepare,
    { signal, beforeRun }: LaunchConditions,
  ): Promise<Omit<LaunchedRecord, 'settled'>> {
    const { at } = this.#context;
    const { directory, key, pinPath } = this.#record;
    await at('reserved');
    await writeOnce(directory, recordFiles.spec, formatSpec(this.#spec));
    await at('specified');

    const prepared = await this.#prepare(prepare);
    await at('prepared');

    // Nothing may be executed before the two below are done.
    if (this.#tier === 'A') {
      pin(prepared, pinPath);
      await at('pinned');
    } else if (this.#tier === 'B' && this.#replacement === undefined) {
      await holdAtMonitor(this.#context, key, [{ role: 'pidfd', fd: prepared.pidfd }], signal);
      await at('pinned');
    }
    const proc = this.#describe(prepared);
    await writeOnce(directory, recordFiles.proc, formatProcRecord(proc));
    await at('recorded');

    await beforeRun?.({ key, id: proc.id, pid: proc.pid });
    signal?.throwIfAborted();
    if (this.#replacement !== undefined) {
      await this.#replacement.enter();
      this.#replaced = true;
      await at('replaced');
    }
    await this.#involveMonitor(prepared, signal);
    await markOnce(directory, recordFiles.released);
    this.#writer!.describe({ released: true });
    await at('released');
    this.#running = true;
    const launched = await prepared.run();
    const live = new LiveProcess(key, proc, launched, this.#writer);
    return { spec: this.#spec, proc, live };
  }

  /** With the record in its place: what the monitor is told of another one of that key is not about this process. */
  async #involveMonitor(prepared: PreparedProcess, signal: AbortSignal | undefined): Promise<void> {
    const { key } = this.#record;
    const isUnheld = this.#tier === 'B' && this.#replacement !== undefined;
    const held: HeldFd[] = isUnheld ? [{ role: 'pidfd', fd: prepared.pidfd }] : [];
    held.push(...(prepared.held ?? []));
    if (held.length > 0) await holdAtMonitor(this.#context, key, held, signal);
    // Before it can write, end or fail: whatever it does then, somebody is there.
    if (needsMonitor(this.#spec)) await attendAtMonitor(this.#context, key, signal);
  }

  async tellStart(proc: ProcRecord): Promise<void> {
    const told = { start: false, exit: false };
    const telling = { proc, released: true, exit: undefined, told };
    await tell(this.#context.root.layout, this.#record, telling);
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
      async () => (this.#replaced ? this.#replacement?.leave() : undefined),
      async () => removeRecord(this.#context.root.layout, this.#record),
    ];
    for (const attempt of attempts) {
      await attempt().catch((failure: unknown) => failures.push(failure));
    }
    const first = (await this.#wasRemoved(error)) ?? error;
    if (failures.length === 0) return first;
    return new CleanupError(`launch ${this.#record.key}`, first, failures);
  }

  /** Somebody removed the folder under the launch: the bare ENOENT of a path in it would tell nobody that. */
  async #wasRemoved(error: unknown): Promise<RootError | undefined> {
    const { key, path, directory } = this.#record;
    if (errnoCode(error) !== 'ENOENT' || (await directory.stat()).nlink > 0) return undefined;
    return new RootError(path, `launch ${key}: its record ${path} was removed meanwhile`, {
      hint: 'Look for what deletes files of the store; nothing of the launch is left.',
      cause: error,
    });
  }

  async #prepare(prepare: Prepare): Promise<PreparedProcess> {
    // With a folder of its own, which stays open when the locks are released.
    const writer = new ExitWriter(this.#spec.id, await openDirectory(this.#record.path), {
      insist: this.#tier !== 'A',
      at: this.#context.root.atExit,
    });
    this.#writer = writer;
    this.#prepared = await prepare((status) => writer.record(status));
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
    const { id, container } = this.#spec;
    return {
      schema: 1,
      id,
      ...(container === undefined ? {} : { container }),
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

/** Throws StoreError for what would be too big to be read again. */
function formatSpec(spec: SpecRecord): string {
  const text = `${stringifyExactJson(spec as unknown as JsonValue)}\n`;
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_RECORD_BYTES) return text;
  throw new StoreError(
    'ERR_STORE_SPEC_TOO_LARGE',
    `record the specification of ${spec.id}: it has ${bytes} bytes, more than ${MAX_RECORD_BYTES}`,
    { hint: 'Hand what is big to the program in a file.' },
  );
}

function pin({ pidfd }: Prepared, path: string): void {
  try {
    pinPidfd(pidfd, path);
  } catch (error) {
    throw isDiskRefusal(error) ? new DiskError('pin at', path, error) : error;
  }
}
