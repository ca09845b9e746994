import { constants } from 'node:os';
import { isStoreError, type StoredProcess } from '@pilotlight/process-store';
import { catchableSignals, type Host } from '../../context.ts';
import { InterruptedError } from '../../errors.ts';

/** Signals that are about this process and not for the program. */
const OURS: readonly NodeJS.Signals[] = ['SIGCHLD', 'SIGURG', 'SIGPIPE', 'SIGWINCH'];

/** Before the launch is through these leave it alone, as they would leave a program that did not ask for them. */
const HARMLESS: readonly NodeJS.Signals[] = ['SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'];

/** What may be passed on. Real-time signals are missing: Node cannot catch them. */
export const forwardedSignals: readonly NodeJS.Signals[] = catchableSignals.filter(
  (signal) => !OURS.includes(signal),
);

/** Catches signals from its making to its disposal: they end a launch that is under way, then they are the program's. */
export class ForwardedSignals implements Disposable {
  /** Aborted with an InterruptedError by the first signal that comes before `deliverTo`. */
  readonly beforeStart: AbortSignal;
  readonly #stop: (() => void)[];
  readonly #launch = new AbortController();
  #process: Pick<StoredProcess, 'signal'> | undefined;
  #early: NodeJS.Signals[] = [];
  #order: Promise<void> = Promise.resolve();

  constructor(host: Pick<Host, 'onSignal'>) {
    this.beforeStart = this.#launch.signal;
    this.#stop = forwardedSignals.map((signal) => host.onSignal(signal, () => this.#take(signal)));
  }

  /** The program runs: whatever has come or comes is sent to it, in order. */
  deliverTo(process: Pick<StoredProcess, 'signal'>): void {
    this.#process = process;
    for (const signal of this.#early.splice(0)) this.#send(process, signal);
  }

  /** Resolves when everything that came so far is sent. */
  async delivered(): Promise<void> {
    await this.#order;
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stop.splice(0)) stop();
  }

  #take(signal: NodeJS.Signals): void {
    if (this.#process !== undefined) {
      this.#send(this.#process, signal);
      return;
    }
    this.#early.push(signal);
    if (HARMLESS.includes(signal)) return;
    this.#launch.abort(new InterruptedError(signal, constants.signals[signal]));
  }

  #send(process: Pick<StoredProcess, 'signal'>, signal: NodeJS.Signals): void {
    this.#order = this.#order.then(async () => {
      try {
        await process.signal(signal);
      } catch (error) {
        // It has ended meanwhile, which its waiter is about to learn; nobody else is there to be told.
        const gone = ['ERR_STORE_NOT_RUNNING', 'ERR_STORE_NOT_FOUND'];
        if (!gone.some((code) => isStoreError(error, code))) throw error;
      }
    });
    // A failure shows where somebody asks for `delivered`; without that it must not end this process.
    this.#order.catch(() => undefined);
  }
}
