import { InvalidConfigError } from '../errors.ts';
import type { Stop } from './end.ts';

/** What may end a running program from here. */
export type RunLimitOptions = {
  /**
   * Aborted, it ends the launch, as `launchSignal` does, and kills a program that runs: it ends
   * with the reason `aborted`.
   */
  signal?: AbortSignal;
  /**
   * How long the program may run, in milliseconds of the wall clock from its execve(2) on; then it
   * is killed and ends with the reason `timeout`. 1 to 2147483647. Default: for ever.
   */
  timeoutMs?: number;
  /**
   * How many bytes the program may write to those of its standard output and error that are `pipe`,
   * together. One more, and it is killed and ends with the reason `outputLimit`; what came until
   * then can be read. Default: no limit. Streams that are no `pipe` are not counted.
   */
  maxOutputBytes?: number;
};

/** setTimeout takes no more; a longer delay would fire at once. */
const maxTimeoutMs = 2 ** 31 - 1;

/** @throws InvalidConfigError for a number that is no limit; `field` is then `options.timeoutMs` or `options.maxOutputBytes` */
export function requireRunLimits({ timeoutMs, maxOutputBytes }: RunLimitOptions): void {
  requireWhole('timeoutMs', timeoutMs, 1, maxTimeoutMs);
  requireWhole('maxOutputBytes', maxOutputBytes, 0, Number.MAX_SAFE_INTEGER);
}

function requireWhole(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  const field = `options.${name}`;
  throw new InvalidConfigError(field, `${field}: expected ${least} to ${most}, received ${value}`, {
    hint: `Give a whole number, or leave ${name} away for no limit.`,
  });
}

/** Watches one running program, and stops it at the first limit that it reaches. */
export class RunLimits {
  /** Why the program was stopped, if it was. */
  stop: Stop | undefined;
  readonly #kill: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void =>
    this.reach({
      reason: 'aborted',
      because: 'the signal of its launch was aborted',
      cause: this.#signal?.reason,
    });

  constructor({ signal, timeoutMs }: RunLimitOptions, kill: () => void) {
    this.#kill = kill;
    if (timeoutMs !== undefined) {
      const stop: Stop = { reason: 'timeout', because: `it ran for more than ${timeoutMs} ms` };
      this.#timer = setTimeout(() => this.reach(stop), timeoutMs);
    }
    this.#signal = signal;
    // It may have been aborted between the program's start and now.
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Only the first one counts. */
  reach(stop: Stop): void {
    if (this.stop !== undefined) return;
    this.stop = stop;
    this.disarm();
    this.#kill();
  }

  /** The program has ended, or is watched no longer: nothing stops it any more. */
  disarm(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
