import { closeAll } from './close-all.ts';
import {
  EmptyPacketError,
  FdClosedError,
  isScmRightsError,
  PacketTooLargeError,
  SocketClosedError,
  SocketTypeError,
  syscallError,
  TooManyFdsError,
} from './errors.ts';
import { type FdLike, fdNumber } from './fd-like.ts';
import { O_NONBLOCK, SCM_MAX_FD, SHUT_WR, SOCK_SEQPACKET } from './libc/constants.ts';
import { EAGAIN, EMSGSIZE } from './libc/errno.ts';
import { fcntlGetfl, fcntlSetfl } from './libc/fcntl.ts';
import { socketType } from './libc/getsockopt.ts';
import { trySendmsg } from './libc/sendmsg.ts';
import { shutdown } from './libc/shutdown.ts';
import type { OwnedFd } from './owned-fd.ts';
import { attributeFds, callSite } from './owned-fd-observer.ts';
import { type Readiness, readiness as sharedReadiness } from './readiness/readiness.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { SendQueue } from './send-queue.ts';
import { type Packet, peekLength, takePacket } from './take-packet.ts';

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
  readonly #sends: SendQueue = new SendQueue();

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
    await this.#sends.run(
      () => this.#trySend(bytes, fds),
      () => this.#sendWhenWritable(bytes, fds, signal),
      signal,
    );
  }

  /**
   * The next packet, whole, or undefined at end of file. Pending receives are served in order.
   *
   * A peer that died with unread bytes of ours (ECONNRESET) is an end of file, after what it had sent. Throws
   * ControlTruncatedError (descriptors were lost; those that came are closed), PacketTruncatedError, SocketClosedError,
   * SyscallError, the signal's reason.
   */
  async receive(options: ReceiveOptions = {}): Promise<Packet | undefined> {
    const site = callSite();
    const packet = await this.#receives.receive(options.maxFds ?? SCM_MAX_FD, options.signal);
    attributeFds(packet?.fds ?? [], site);
    return packet;
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
    if (result === -EAGAIN) return false;
    const error = syscallError(result, 'sendmsg', fd);
    if (result === -EMSGSIZE) throw new PacketTooLargeError(fd, bytes.length, error);
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
    if (length === undefined) return NOTHING_YET;
    if (length === 0) return undefined;
    return takePacket(fd, length, maxFds) ?? NOTHING_YET;
  }
}
