import {
  closeAll,
  type FdLike,
  isScmRightsError,
  isSyscallError,
  type OwnedFd,
  type SeqpacketSocket,
} from '@pilotlight/scm-rights';
import type { z } from 'zod';
import { StoreError } from '../../errors.ts';

/** Thrown when the other end says what the protocol does not know. */
export class ProtocolError extends StoreError {
  override readonly name: string = 'ProtocolError';
  constructor(reason: string, cause?: unknown) {
    super('ERR_STORE_PROTOCOL', `read a packet of the monitor's protocol: ${reason}`, {
      hint: 'Both ends must be of the same version; end the monitor named in monitor.json to have it started anew.',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** One message and the descriptors that came with it, which the receiver closes. */
export interface Received<T> {
  message: T;
  fds: OwnedFd[];
}

/** Packets of one JSON object each, checked against a schema when they come. */
export class Packets<In, Out> implements Disposable {
  readonly #socket: SeqpacketSocket;
  readonly #schema: z.ZodType<In>;

  /** Takes over the socket. */
  constructor(socket: SeqpacketSocket, schema: z.ZodType<In>) {
    this.#socket = socket;
    this.#schema = schema;
  }

  get closed(): boolean {
    return this.#socket.closed;
  }

  /** The socket's descriptor. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** False if the other end is gone. The descriptors stay the caller's. Throws SyscallError, the signal's reason. */
  async send(
    message: Out,
    fds: readonly FdLike[] = [],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    try {
      await this.#socket.send(Buffer.from(JSON.stringify(message)), fds, options);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  /** The next message; undefined when the other end is gone. Throws ProtocolError, SyscallError, the signal's reason. */
  async receive(
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Received<In> | undefined> {
    let packet;
    try {
      packet = await this.#socket.receive(options);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
    if (packet === undefined) return undefined;
    try {
      return { message: this.#parse(packet.bytes), fds: packet.fds };
    } catch (error) {
      closeAll(packet.fds);
      throw error;
    }
  }

  #parse(bytes: Uint8Array): In {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes).toString());
    } catch (error) {
      throw new ProtocolError('it is not JSON', error);
    }
    const result = this.#schema.safeParse(value);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new ProtocolError(
      `${issue?.path.join('.') ?? 'it'}: ${issue?.message ?? 'is not valid'}`,
      result.error,
    );
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function isGone(error: unknown): boolean {
  return (
    isSyscallError(error, 'EPIPE') ||
    isSyscallError(error, 'ECONNRESET') ||
    isScmRightsError(error, 'ERR_SCM_SOCKET_CLOSED')
  );
}
