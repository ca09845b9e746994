import { appendEvent } from '../events/append-events.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import type { StoreLayout } from '../layout.ts';
import type { AttendedRecord, MonitorDuty } from './duty.ts';

interface Watch {
  generation: Generation;
  stop: AbortController;
}

/** Puts into the journal when the kernel enforces a limit of a container: a kill for want of memory, a fork that failed. */
export class LimitsDuty implements MonitorDuty {
  readonly name = 'limits';
  readonly #layout: StoreLayout;
  readonly #onWarning: (key: string, error: unknown) => void;
  readonly #watches = new Map<string, Watch>();

  constructor(layout: StoreLayout, onWarning: (key: string, error: unknown) => void) {
    this.#layout = layout;
    this.#onWarning = onWarning;
  }

  attend({ key, proc }: AttendedRecord): boolean {
    if (proc.cgroupPaths.length === 0) return false;
    const known = this.#watches.get(key);
    if (known !== undefined && isSameGeneration(known.generation, proc)) return false;
    known?.stop.abort();
    const watch = { generation: proc, stop: new AbortController() };
    this.#watches.set(key, watch);
    void this.#tell(key, proc, watch).catch((error: unknown) => this.#onWarning(key, error));
    return false;
  }

  ended({ key }: AttendedRecord): void {
    this.forget(key);
  }

  forget(key: string): void {
    this.#watches.get(key)?.stop.abort();
    this.#watches.delete(key);
  }

  close(): void {
    for (const key of this.#watches.keys()) this.forget(key);
  }

  async #tell(key: string, proc: AttendedRecord['proc'], { stop }: Watch): Promise<void> {
    // Loaded when the first container with a cgroup comes.
    const { watchCgroup } = await import('@pilotlight/init');
    for await (const { type, count } of watchCgroup(proc.cgroupPaths, { signal: stop.signal })) {
      // That memory ran out is told when it has cost a process.
      if (type === 'oom') continue;
      const fact = type === 'oomKill' ? 'oom' : 'pidsLimit';
      await appendEvent(this.#layout.events, { ...proc, key }, { type: fact, count });
    }
  }
}
