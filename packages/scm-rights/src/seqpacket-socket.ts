import { closeAll } from './close-all.ts';
import {
  ControlTruncatedError,
  EmptyPacketError,
  FdClosedError,
  isScmRightsError,
  PacketTooLargeError,
  PacketTruncatedError,
  SocketClosedError,
  SocketTypeError,
  syscallError,
  TooManyFdsError,
} from './errors.ts';
import { type FdLike, fdNumber } from './fd-like.ts';
import {
  MSG_CTRUNC,
  MSG_TRUNC,
  O_NONBLOCK,
  SCM_MAX_FD,
  SHUT_WR,
  SOCK_SEQPACKET,
} from './libc/constants.ts';
import { fcntlGetfl, fcntlSetfl } from './libc/fcntl.ts';
import { socketType } from './libc/getsockopt.ts';
import { tryPeekLength } from './libc/recv.ts';
import { tryRecvmsg } from './libc/recvmsg.ts';
import { trySendmsg } from './libc/sendmsg.ts';
import { shutdown } from './libc/shutdown.ts';
import { OwnedFd } from './owned-fd.ts';
import { type Readiness, readiness as sharedReadiness } from './readiness/readiness.ts';
import { ReceiveQueue } from './receive-queue.ts';

const EAGAIN = -11;
const EMSGSIZE = -90;
const ECONNRESET = -104;

/** One packet and the descriptors that came with it, close-on-exec. Whoever receives it closes them. */
export interface Packet {
  bytes: Uint8Array;
  fds: OwnedFd[];
}

export interface ReceiveOptions {
  signal?: AbortSignal | undefined;
  /** Room for descriptors, 0 to 253 (the default). A packet with more fails, and is lost. */
  maxFds?: number | undefined;
}

/** What {@link SeqpacketSocket.tryReceive} returns when no packet is there yet. */
export const NOTHING_YET: unique symbol = Symbol('nothing yet');

/** Packets with descriptors over a connected SOCK_SEQPACKET socket; unix(7). Never blocks the event loop. */
export class SeqpacketSocket implements Disposable {
  readonly #owned: OwnedFd;
  readonly #readiness: Readiness;
  readonly #receives: ReceiveQueue<Packet | undefined, number>;
  #lastSend: Promise<void> = Promise.resolve();
  #pendingSends = 0;

  /**
   * Takes over `owned` and makes it non-blocking, for every process that shares the open socket.
   *
   * Throws SocketTypeError for another kind of socket, SyscallError; then `owned` stays with the caller.
   */
  constructor(owned: OwnedFd, options: { readiness?: Readiness } = {}) {
    const type = socketType(owned.fd);
    if (type !== SOCK_SEQPACKET) {
      throw new SocketTypeError(owned.fd, 'SOCK_SEQPACKET', `socket type ${type}`);
    }
    fcntlSetfl(owned.fd, fcntlGetfl(owned.fd) | O_NONBLOCK);
    this.#owned = owned;
    this.#readiness = options.readiness ?? sharedReadiness;
    this.#receives = new ReceiveQueue(
      (signal, maxFds) => this.#take(signal, maxFds),
      (packet) => closeAll(packet?.fds ?? []),
    );
  }

  /** The descriptor's number; FdClosedError once closed. */
  get fd(): number {
    return this.#owned.fd;
  }

  get closed(): boolean {
    return this.#owned.closed;
  }

  /**
   * Sends one packet of at least one byte, with up to 253 descriptors, behind those sent before.
   *
   * Tries at once; if the send buffer is full, waits until there is room. Bytes and descriptors must stay as they are until
   * it resolves; the descriptors remain the caller's. Throws EmptyPacketError, TooManyFdsError, PacketTooLargeError (the
   * packet does not fit the buffer at all), SocketClosedError, SyscallError (EPIPE: the peer is gone), the signal's reason.
   */
  async send(
    bytes: Uint8Array,
    fds: readonly FdLike[] = [],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { signal } = options;
    if (this.closed) throw new SocketClosedError('send a packet');
    if (bytes.length === 0) throw new EmptyPacketError(this.fd);
    if (fds.length > SCM_MAX_FD) throw new TooManyFdsError(fds.length, SCM_MAX_FD);
    signal?.throwIfAborted();
    if (this.#pendingSends === 0 && this.#trySend(bytes, fds)) return;

    const turn = this.#lastSend;
    const done = Promise.withResolvers<void>();
    this.#lastSend = done.promise;
    this.#pendingSends += 1;
    try {
      await abortable(turn, signal);
      await this.#sendWhenWritable(bytes, fds, signal);
    } finally {
      this.#pendingSends -= 1;
      // Also when this send was given up while an earlier one still waits.
      void turn.then(done.resolve);
    }
  }

  /**
   * The next packet, whole, or undefined at end of file. Pending receives are served in order.
   *
   * A peer that died with unread bytes of ours (ECONNRESET) is an end of file, after what it had sent. Throws
   * ControlTruncatedError (descriptors were lost; those that came are closed), PacketTruncatedError, SocketClosedError,
   * SyscallError, the signal's reason.
   */
  async receive(options: ReceiveOptions = {}): Promise<Packet | undefined> {
    return this.#receives.receive(options.maxFds ?? SCM_MAX_FD, options.signal);
  }

  /**
   * Like {@link receive}, at once: {@link NOTHING_YET} if no packet is there, or if earlier receives are pending.
   *
   * Throws what {@link receive} rejects with.
   */
  tryReceive(options: { maxFds?: number } = {}): Packet | undefined | typeof NOTHING_YET {
    if (this.closed) throw new SocketClosedError('receive a packet');
    return this.#receives.busy ? NOTHING_YET : this.#tryTake(options.maxFds ?? SCM_MAX_FD);
  }

  /** Tells the peer that nothing more will be sent: it reads end of file; `shutdown(2)`. Receiving goes on. */
  endSending(): void {
    shutdown(this.fd, SHUT_WR);
  }

  /** Closes the socket; pending receives and sends reject with SocketClosedError. Later calls do nothing. */
  close(): void {
    if (this.closed) return;
    this.#receives.close(new SocketClosedError('receive a packet'));
    // The readiness lets go of the number before it is closed.
    this.#owned.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #sendWhenWritable(
    bytes: Uint8Array,
    fds: readonly FdLike[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      for (;;) {
        if (this.closed) throw new SocketClosedError('send a packet');
        if (this.#trySend(bytes, fds)) return;
        await this.#readiness.wait(this.#owned, 'writable', { signal });
      }
    } catch (error) {
      if (this.closed && isScmRightsError(error, 'ERR_SCM_FD_CLOSED')) {
        throw new SocketClosedError('send a packet');
      }
      throw error;
    }
  }

  /** False if there is no room now. */
  #trySend(bytes: Uint8Array, fds: readonly FdLike[]): boolean {
    const fd = this.fd;
    const result = trySendmsg(fd, bytes, { fds: fds.map(fdNumber) });
    if (result >= 0) return true;
    if (result === EAGAIN) return false;
    const error = syscallError(result, 'sendmsg', fd);
    if (result === EMSGSIZE) throw new PacketTooLargeError(fd, bytes.length, error);
    throw error;
  }

  async #take(signal: AbortSignal, maxFds: () => number): Promise<Packet | undefined> {
    for (;;) {
      if (this.closed) throw new FdClosedError(this.#owned.role);
      const packet = this.#tryTake(maxFds());
      if (packet !== NOTHING_YET) return packet;
      await this.#readiness.wait(this.#owned, 'readable', { signal });
    }
  }

  #tryTake(maxFds: number): Packet | undefined | typeof NOTHING_YET {
    const fd = this.fd;
    const length = peekLength(fd);
    if (length === EAGAIN) return NOTHING_YET;
    if (length === 0) return undefined;
    const bytes = new Uint8Array(length);
    const received = tryRecvmsg(fd, bytes, { maxFds });
    if (typeof received === 'number') {
      // Another process that shares the socket was faster.
      if (received === EAGAIN) return NOTHING_YET;
      throw syscallError(received, 'recvmsg', fd);
    }
    // Owned before anything is checked: from here on every failure closes them all.
    const fds = received.fds.map((number) => new OwnedFd(number, 'received descriptor'));
    const failure = checkWhole(fd, length, maxFds, received);
    if (failure === undefined) return { bytes, fds };
    closeAll(fds);
    throw failure;
  }
}

/** Length of the next packet, 0 at end of file, or EAGAIN. */
function peekLength(fd: number): number {
  for (;;) {
    const length = tryPeekLength(fd);
    // Reported once, and what the peer sent before comes before or after it: ask again.
    if (length === ECONNRESET) continue;
    if (length < 0 && length !== EAGAIN) throw syscallError(length, 'recv', fd);
    return length;
  }
}

function checkWhole(
  fd: number,
  expected: number,
  maxFds: number,
  received: { length: number; fds: readonly number[]; flags: number },
): Error | undefined {
  if ((received.flags & MSG_CTRUNC) !== 0) {
    return new ControlTruncatedError(fd, received.fds.length, maxFds);
  }
  if ((received.flags & MSG_TRUNC) !== 0 || received.length !== expected) {
    return new PacketTruncatedError(fd, expected, received.length);
  }
  return undefined;
}

/** Settles as `turn` does, or rejects with the signal's reason before. */
async function abortable(turn: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return turn;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([turn, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
