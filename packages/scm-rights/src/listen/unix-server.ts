import { EventEmitter } from 'node:events';
import { isSyscallError } from '../errors.ts';
import type { OwnedFd } from '../owned-fd.ts';
import { pause } from '../pause.ts';
import type { ListeningSocket } from './listening-socket.ts';

/** The events of a {@link UnixServer}. */
export interface UnixServerEvents<Connection> {
  connection: [connection: Connection];
  /** Accepting failed. For want of descriptors or memory the server tries again; after anything else it is closed. */
  error: [error: unknown];
  close: [];
}

const PASSING = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'];
const PAUSE_MS = 100;

/**
 * Accepts connections in one of three ways: listen for `'connection'`, iterate with `for await`, or call {@link accept}.
 *
 * It starts when somebody asks, and keeps the process alive while it waits. Leaving a `for await` loop leaves it listening;
 * closing it ends the loop.
 */
export class UnixServer<Connection>
  extends EventEmitter<UnixServerEvents<Connection>>
  implements AsyncIterable<Connection>, Disposable
{
  readonly #listening: ListeningSocket;
  readonly #wrap: (owned: OwnedFd) => Connection;
  #emitting = false;

  /** Made by `listenStream` and `listenSeqpacket`. */
  constructor(listening: ListeningSocket, wrap: (owned: OwnedFd) => Connection) {
    super();
    this.#listening = listening;
    this.#wrap = wrap;
    // The type of the events has no room for those that every emitter has.
    (this as EventEmitter).on('newListener', (event: string | symbol) => {
      if (event !== 'connection' || this.#emitting) return;
      this.#emitting = true;
      // When the listener is in place.
      queueMicrotask(() => void this.#emitConnections());
    });
  }

  /** The descriptor's number; FdClosedError once closed. */
  get fd(): number {
    return this.#listening.fd;
  }

  get closed(): boolean {
    return this.#listening.closed;
  }

  /** The next connection. Throws SocketClosedError, SyscallError (EMFILE: it stays in the queue), the signal's reason. */
  async accept(options: { signal?: AbortSignal | undefined } = {}): Promise<Connection> {
    return this.#wrapped(await this.#listening.accept(options.signal));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    for (;;) {
      let connection;
      try {
        connection = await this.accept();
      } catch (error) {
        if (this.closed) return;
        throw error;
      }
      yield connection;
    }
  }

  /** Stops listening and removes the socket's file; connections stay open. Later calls do nothing. */
  close(): void {
    if (this.closed) return;
    this.#listening.close();
    process.nextTick(() => this.emit('close'));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #emitConnections(): Promise<void> {
    while (!this.closed && this.listenerCount('connection') > 0) {
      const connection = await this.#nextForListeners();
      // What a listener throws is not caught: it is no failure to accept.
      if (connection !== undefined) this.emit('connection', connection);
    }
    this.#emitting = false;
  }

  async #nextForListeners(): Promise<Connection | undefined> {
    try {
      const owned = await this.#listening.accept();
      if (this.listenerCount('connection') > 0) return this.#wrapped(owned);
      // The last listener left while this one was awaited.
      owned.close();
    } catch (error) {
      if (!this.closed) await this.#report(error);
    }
    return undefined;
  }

  #wrapped(owned: OwnedFd): Connection {
    try {
      return this.#wrap(owned);
    } catch (error) {
      owned.close();
      throw error;
    }
  }

  async #report(error: unknown): Promise<void> {
    const passes = PASSING.some((code) => isSyscallError(error, code));
    if (!passes) this.close();
    this.emit('error', error);
    // The connection is still in the queue, so accepting would fail again at once.
    if (passes) await pause(PAUSE_MS);
  }
}
