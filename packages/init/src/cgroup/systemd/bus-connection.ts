import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { DbusValue } from './dbus-type.ts';
import {
  type DbusMessage,
  decodeMessage,
  encodeMessage,
  ERROR,
  METHOD_CALL,
  METHOD_RETURN,
  SIGNAL,
} from './message.ts';

/** What a peer answered in place of a result. */
export class DbusCallError extends Error {
  /** Such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly errorName: string;

  constructor(errorName: string, text: string) {
    super(`${errorName}: ${text}`);
    this.name = 'DbusCallError';
    this.errorName = errorName;
  }
}

export type DbusCall = {
  destination: string;
  path: string;
  interface: string;
  member: string;
  signature?: string;
  body?: readonly DbusValue[];
};

type Waiter = { resolve: (body: readonly DbusValue[]) => void; reject: (error: unknown) => void };

/** The handshake is a few short lines; a peer that sends more is no bus. */
const MAX_LINE_BYTES = 4096;

/**
 * A connection to a message bus over a Unix socket: calls with their answers, and signals. It has no objects of its
 * own to call.
 *
 * Source: D-Bus specification 0.42, "Authentication Protocol" and "Message Bus Specification".
 */
export class BusConnection implements Disposable {
  readonly #socket: Socket;
  readonly #waiters = new Map<number, Waiter>();
  readonly #onSignal: (message: DbusMessage) => void;
  #serial = 0;
  #received: Buffer = Buffer.alloc(0);
  #failure: unknown;
  readonly #ended = Promise.withResolvers<never>();

  private constructor(socket: Socket, onSignal: (message: DbusMessage) => void) {
    this.#socket = socket;
    this.#onSignal = onSignal;
    // It ends at last; only who waits is to be told.
    this.#ended.promise.catch(() => undefined);
  }

  /**
   * Connects, proves who we are by the socket's credentials, and says Hello.
   *
   * @param socketPath see busSocket
   * @param onSignal gets every signal for which there is a match
   * @param signal ends the connection and all that waits
   * @throws what the socket says, Error when it is no bus, the signal's reason
   */
  static async open(
    socketPath: string,
    onSignal: (message: DbusMessage) => void,
    signal: AbortSignal,
  ): Promise<BusConnection> {
    const socket = connect({ path: socketPath, signal });
    try {
      await once(socket, 'connect', { signal });
      const connection = new BusConnection(socket, onSignal);
      await connection.#authenticate(signal);
      socket.on('data', (bytes) => connection.#receive(bytes));
      socket.on('error', (error) => connection.#fail(error));
      socket.on('close', () => connection.#fail(new Error('the bus hung up')));
      connection.#decode();
      await connection.call({
        destination: 'org.freedesktop.DBus',
        path: '/org/freedesktop/DBus',
        interface: 'org.freedesktop.DBus',
        member: 'Hello',
      });
      return connection;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Rejects when the connection ends, for whom waits for a signal. */
  get ended(): Promise<never> {
    return this.#ended.promise;
  }

  /** Calls a method. @returns the values of the answer @throws DbusCallError, or what ended the connection */
  call(call: DbusCall): Promise<readonly DbusValue[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#serial += 1;
      const serial = this.#serial;
      const { body = [], ...header } = call;
      const bytes = encodeMessage({ type: METHOD_CALL, serial, ...header, body });
      this.#waiters.set(serial, { resolve, reject });
      this.#socket.write(bytes);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** EXTERNAL: the bus takes the user from the socket and compares it with what is claimed. */
  async #authenticate(signal: AbortSignal): Promise<void> {
    const uid = Buffer.from(String(process.geteuid!())).toString('hex');
    this.#socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    const answer = await this.#line(signal);
    if (!answer.startsWith('OK ')) {
      throw new Error(`the bus does not let this user in: ${answer.slice(0, 100)}`);
    }
    this.#socket.write('BEGIN\r\n');
  }

  async #line(signal: AbortSignal): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#received.toString('latin1', 0, end);
        this.#received = this.#received.subarray(end + 2);
        return line;
      }
      if (this.#received.length > MAX_LINE_BYTES) throw new Error('what listens is no bus');
      const bytes = (await this.#nextBytes(signal)) as Buffer | undefined;
      if (bytes === undefined) throw new Error('the bus hung up while it was told who we are');
      this.#received = Buffer.concat([this.#received, bytes]);
    }
  }

  async #nextBytes(signal: AbortSignal): Promise<unknown> {
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    try {
      const [first] = (await Promise.race([
        once(this.#socket, 'data', { signal: either }),
        once(this.#socket, 'end', { signal: either }),
      ])) as unknown[];
      return first;
    } finally {
      this.#socket.pause();
      done.abort();
    }
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    this.#decode();
  }

  #decode(): void {
    try {
      for (;;) {
        const decoded = decodeMessage(this.#received);
        if (decoded === undefined) break;
        this.#received = this.#received.subarray(decoded.size);
        this.#deliver(decoded.message);
      }
    } catch (error) {
      this.#fail(error);
      this.#socket.destroy();
    }
    this.#socket.resume();
  }

  #deliver(message: DbusMessage): void {
    if (message.type === SIGNAL) this.#onSignal(message);
    if (message.type !== METHOD_RETURN && message.type !== ERROR) return;
    const waiter = this.#waiters.get(message.replySerial ?? 0);
    if (waiter === undefined) return;
    this.#waiters.delete(message.replySerial!);
    if (message.type === METHOD_RETURN) waiter.resolve(message.body);
    else {
      const [text] = message.body;
      waiter.reject(
        new DbusCallError(message.errorName ?? 'an error', typeof text === 'string' ? text : ''),
      );
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiters.values()) reject(this.#failure);
    this.#waiters.clear();
    this.#ended.reject(this.#failure);
  }
}
