import { closeAll } from '@pilotlight/scm-rights';
import { MonitorError } from '../errors.ts';
import type { ClientConnection } from './serve-client.ts';
import type { ClientMessage } from './wire/client-protocol.ts';

/** Hears a client while its launch is under way: what it was asked for, and at any time that it does not want it any more. */
export class LaunchDialogue implements AsyncDisposable {
  readonly #client: ClientConnection;
  readonly #stop = new AbortController();
  readonly #abort = new AbortController();
  readonly #words: ClientMessage['type'][] = [];
  #waiting: (() => void) | undefined;
  readonly #listening: Promise<void>;

  constructor(client: ClientConnection, root: string) {
    this.#client = client;
    this.#listening = this.#listen(new MonitorError(root, 'the client gave the launch up'));
  }

  /** Aborted when the client has hung up, or says so. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the client says that. Rejects when it wants no more, or says something else. */
  async hear(word: 'continue' | 'go'): Promise<void> {
    while (this.#words.length === 0) {
      this.signal.throwIfAborted();
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    if (this.#words.shift() !== word) this.#abort.abort(new Error(`expected ${word}`));
    this.signal.throwIfAborted();
  }

  /** Stops hearing; what the client says next is for others. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#listening;
  }

  async #listen(gaveUp: Error): Promise<void> {
    try {
      for (;;) {
        const received = await this.#client.receive({ signal: this.#stop.signal });
        closeAll(received?.fds ?? []);
        const type = received?.message.type;
        if (type === undefined || type === 'abort') {
          this.#abort.abort(gaveUp);
          // After an abort nothing more comes but the next question.
          return;
        }
        this.#words.push(type);
        this.#waiting?.();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#abort.abort(error);
    } finally {
      this.#waiting?.();
    }
  }
}
