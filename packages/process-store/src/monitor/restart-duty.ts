import { openDirectory } from '../disk/open-directory.ts';
import { errnoCode, isStoreError, messageOf } from '../errors.ts';
import type { LaunchedRecord } from '../process/launch-attempt.ts';
import type { StoreContext } from '../process/store-context.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import type { ProcRecord, Tier } from '../record/proc-record.ts';
import { readFacts } from '../record/read-facts.ts';
import { mayRestart, nextRestart, type Restarts } from '../restart/restart-policy.ts';
import type { StoreRoot } from '../root/store-root.ts';
import type { AttendedRecord, MonitorDuty } from './duty.ts';

export interface RestartDutyOptions {
  root: StoreRoot;
  /** What a launch here works with, in that tier. */
  context: (tier: Tier) => StoreContext;
  /** Runs a launch, and watches what came of it. */
  launch: (launch: () => Promise<LaunchedRecord>) => Promise<LaunchedRecord>;
  onWarning: (key: string, message: string) => void;
  onChange: () => void;
}

/** A restart that waits for its time. */
interface Due {
  timer: NodeJS.Timeout;
  /** The run that has ended. */
  proc: ProcRecord;
}

/** Starts again what has ended, by the policy in its record. Everything it goes by is on disk: the next monitor goes on. */
export class RestartDuty implements MonitorDuty {
  readonly name = 'restart';
  readonly #options: RestartDutyOptions;
  readonly #due = new Map<string, Due>();
  /** Restarts that failed in a row, which the record does not know of. */
  readonly #failures = new Map<string, number>();
  #closed = false;

  constructor(options: RestartDutyOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#due.size > 0;
  }

  async attend(record: AttendedRecord): Promise<boolean> {
    return mayRestart((await record.spec())?.restarts);
  }

  async finished(key: string): Promise<void> {
    const ended = await this.#read(key);
    if (ended === undefined || this.#closed) return;
    const known = this.#due.get(key);
    if (known?.proc.startTicks === ended.proc.startTicks && known.proc.pid === ended.proc.pid)
      return;
    const failed = this.#failures.get(key) ?? 0;
    const { count, short, policy } = ended.restarts;
    const restarts = { policy, count: count + failed, short: short + failed };
    const due = nextRestart(restarts, { exit: ended.exit, lastedMs: ended.lastedMs });
    if (due === undefined) return;
    this.#cancel(key);
    const timer = setTimeout(() => void this.#restart(key, ended.proc, due.restarts), due.delayMs);
    this.#due.set(key, { timer, proc: ended.proc });
    this.#options.onChange();
  }

  forget(key: string): void {
    this.#cancel(key);
    this.#failures.delete(key);
  }

  close(): void {
    this.#closed = true;
    for (const key of this.#due.keys()) this.#cancel(key);
  }

  async #restart(key: string, proc: ProcRecord, restarts: Restarts): Promise<void> {
    const { context, launch, onWarning, onChange } = this.#options;
    try {
      // Loaded when the first one is due: most monitors never launch.
      const { restart } = await import('../process/restart.ts');
      const options = { restarts, unlessStopped: true };
      await launch(() => restart(context(proc.tier), key, proc, options));
      this.#failures.delete(key);
    } catch (error) {
      // Deleted, stopped, or started again by somebody else meanwhile.
      const isOver =
        isStoreError(error, 'ERR_STORE_NOT_FOUND') || isStoreError(error, 'ERR_STORE_NOT_STOPPED');
      if (!isOver) {
        onWarning(key, `restart: ${messageOf(error)}`);
        this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
        this.#due.delete(key);
        await this.finished(key).catch((again: unknown) => onWarning(key, messageOf(again)));
        onChange();
        return;
      }
    }
    // Another end may be waiting for its restart by now.
    if (this.#due.get(key)?.proc.startTicks === proc.startTicks) this.#due.delete(key);
    onChange();
  }

  /** A run that has ended, and that somebody may want to be started again. */
  async #read(
    key: string,
  ): Promise<
    { proc: ProcRecord; exit: ExitRecord; restarts: Restarts; lastedMs: number | null } | undefined
  > {
    if (key.includes('/')) return undefined;
    const path = this.#options.root.layout.record(key);
    try {
      await using directory = await openDirectory(path);
      const { spec, proc, exit, stopAsked } = await readFacts(directory, path);
      const restarts = spec?.restarts;
      if (restarts === undefined || proc === undefined || exit === undefined || stopAsked) {
        return undefined;
      }
      const end = exit.exitedAt ?? (exit.kind === 'unknown' ? null : exit.observedAt);
      const lastedMs = end === null ? null : Date.parse(end) - Date.parse(proc.recordedAt);
      return { proc, exit, restarts, lastedMs };
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #cancel(key: string): void {
    clearTimeout(this.#due.get(key)?.timer);
    this.#due.delete(key);
  }
}
