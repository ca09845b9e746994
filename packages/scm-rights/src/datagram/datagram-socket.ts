import { fchmodSync } from 'node:fs';
import { SocketFile } from '../address/socket-file.ts';
import { decodeUnixAddress, encodeUnixAddress, type UnixAddress } from '../address/unix-address.ts';
import { closeAll } from '../close-all.ts';
import {
  isScmRightsError,
  PacketTooLargeError,
  SocketClosedError,
  SocketTypeError,
  syscallError,
  TooManyFdsError,
} from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { bind } from '../libc/bind.ts';
import { tryConnect } from '../libc/connect.ts';
import { O_NONBLOCK, SCM_MAX_FD, SOCK_DGRAM } from '../libc/constants.ts';
import { EAGAIN, EMSGSIZE } from '../libc/errno.ts';
import { fcntlGetfl, fcntlSetfl } from '../libc/fcntl.ts';
import { socketType } from '../libc/getsockopt.ts';
import { trySendmsg } from '../libc/sendmsg.ts';
import { socket } from '../libc/socket.ts';
import { OwnedFd } from '../owned-fd.ts';
import { attributeFds, callSite } from '../owned-fd-observer.ts';
import { pause } from '../pause.ts';
import { type Readiness, readiness as sharedReadiness } from '../readiness/readiness.ts';
import { ReceiveQueue } from '../receive-queue.ts';
import { SendQueue } from '../send-queue.ts';
import { type Packet, peekLength, takePacket } from '../take-packet.ts';

/** One datagram, its descriptors, and who sent it. Whoever receives it closes the descriptors. */
export interface Datagram extends Packet {
  /** Absent if the sender's socket has no address, so that nobody can answer it. */
  from?: UnixAddress;
}

export interface DatagramOptions {
  readiness?: Readiness;
}

export interface SendDatagramOptions {
  /** The receiver's address; not needed when connected, or on a socket pair. */
  to?: UnixAddress | undefined;
  signal?: AbortSignal | undefined;
}

const LONGEST_DELAY_MS = 20;

/**
 * Datagrams with up to 253 descriptors over a SOCK_DGRAM socket; unix(7): whole, in order, none lost, and without an end of
 * file, because there is no connection that could end. Never blocks the event loop.
 */
export class DatagramSocket implements Disposable {
  readonly #owned: OwnedFd;
  readonly #readiness: Readiness;
  readonly #receives: ReceiveQueue<Datagram, number>;
  readonly #sends: SendQueue = new SendQueue();
  #file: SocketFile | undefined;

  /** Takes over `owned` and makes it non-blocking. Throws SocketTypeError, SyscallError; then `owned` stays with the caller. */
  constructor(owned: OwnedFd, options: DatagramOptions = {}) {
    const type = socketType(owned.fd);
    if (type !== SOCK_DGRAM) {
      throw new SocketTypeError(owned.fd, 'SOCK_DGRAM', `socket type ${type}`, 'datagram socket');
    }
    fcntlSetfl(owned.fd, fcntlGetfl(owned.fd) | O_NONBLOCK);
    this.#owned = owned;
    this.#readiness = options.readiness ?? sharedReadiness;
    this.#receives = new ReceiveQueue(
      (signal, maxFds) => this.#take(signal, maxFds),
      (datagram) => closeAll(datagram.fds),
    );
  }

  /** A socket without address, for sending. Throws SyscallError. */
  static open(options: DatagramOptions = {}): DatagramSocket {
    return new DatagramSocket(new OwnedFd(socket(SOCK_DGRAM), 'datagram socket'), options);
  }

  /**
   * A socket that receives at `address`. Its file has `mode` less the umask, 0o777 by default, and is removed on close.
   *
   * Throws SyscallError (EADDRINUSE: something is there), SocketAddressError, InvalidStringError.
   */
  static bind(
    address: UnixAddress,
    options: DatagramOptions & { mode?: number } = {},
  ): DatagramSocket {
    const sockaddr = encodeUnixAddress(address);
    const owned = new OwnedFd(socket(SOCK_DGRAM), `datagram socket at ${address}`);
    try {
      // Before the file exists: nobody can send with wider permissions in between.
      fchmodSync(owned.fd, options.mode ?? 0o777);
      bind(owned.fd, sockaddr, address);
      const bound = new DatagramSocket(owned, options);
      bound.#file = SocketFile.at(address);
      return bound;
    } catch (error) {
      owned.close();
      throw error;
    }
  }

  /** The descriptor's number; FdClosedError once closed. */
  get fd(): number {
    return this.#owned.fd;
  }

  get closed(): boolean {
    return this.#owned.closed;
  }

  /** Sends to `address` from now on, and receives only from there. Throws SyscallError (ENOENT, ECONNREFUSED). */
  connect(address: UnixAddress): void {
    const result = tryConnect(this.fd, encodeUnixAddress(address));
    if (result < 0) throw syscallError(result, 'connect', address);
  }

  /**
   * Sends one datagram, which may have no bytes, with up to 253 descriptors, behind those sent before.
   *
   * Tries at once, and waits while the receiver's queue is full. Bytes and descriptors must stay as they are until it
   * resolves; the descriptors remain the caller's. Throws TooManyFdsError, PacketTooLargeError, SocketAddressError,
   * SocketClosedError, SyscallError (ECONNREFUSED: the receiver is gone; ENOTCONN: say `to` whom), the signal's reason.
   */
  async send(
    bytes: Uint8Array,
    fds: readonly FdLike[] = [],
    options: SendDatagramOptions = {},
  ): Promise<void> {
    if (this.closed) throw new SocketClosedError('send a datagram');
    if (fds.length > SCM_MAX_FD) throw new TooManyFdsError(fds.length, SCM_MAX_FD);
    const to = options.to === undefined ? undefined : encodeUnixAddress(options.to);
    await this.#sends.run(
      () => this.#trySend(bytes, fds, to),
      () => this.#sendWhenPossible(bytes, fds, to, options.signal),
      options.signal,
    );
  }

  /**
   * The next datagram, whole. Pending receives are served in order; `maxFds` is 253 by default.
   *
   * Throws ControlTruncatedError (descriptors were lost; those that came are closed), SocketClosedError, SyscallError, the
   * signal's reason.
   */
  async receive(
    options: { signal?: AbortSignal | undefined; maxFds?: number } = {},
  ): Promise<Datagram> {
    const site = callSite();
    const datagram = await this.#receives.receive(options.maxFds ?? SCM_MAX_FD, options.signal);
    attributeFds(datagram.fds, site);
    return datagram;
  }

  /** Closes the socket and removes its file; what is pending rejects with SocketClosedError. Later calls do nothing. */
  close(): void {
    if (this.closed) return;
    this.#receives.close(new SocketClosedError('receive a datagram'));
    this.#file?.remove();
    this.#owned.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #sendWhenPossible(
    bytes: Uint8Array,
    fds: readonly FdLike[],
    to: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      for (let delayMs = 1; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
        if (this.closed) throw new SocketClosedError('send a datagram');
        if (this.#trySend(bytes, fds, to)) return;
        if (to === undefined) await this.#readiness.wait(this.#owned, 'writable', { signal });
        // Polling says that a socket is writable while one of its receivers has no room: there is only time to go by.
        else await pause(delayMs, signal);
      }
    } catch (error) {
      if (this.closed && isScmRightsError(error, 'ERR_SCM_FD_CLOSED')) {
        throw new SocketClosedError('send a datagram');
      }
      throw error;
    }
  }

  /** False if there is no room now. */
  #trySend(bytes: Uint8Array, fds: readonly FdLike[], to: Uint8Array | undefined): boolean {
    const fd = this.fd;
    const result = trySendmsg(fd, bytes, {
      fds: fds.map(fdNumber),
      ...(to === undefined ? {} : { to }),
    });
    if (result >= 0) return true;
    if (result === -EAGAIN) return false;
    const error = syscallError(result, 'sendmsg', operandOf(fd, to));
    if (result === -EMSGSIZE) throw new PacketTooLargeError(fd, bytes.length, error);
    throw error;
  }

  async #take(signal: AbortSignal, maxFds: () => number): Promise<Datagram> {
    for (;;) {
      if (this.closed) throw new SocketClosedError('receive a datagram');
      const fd = this.fd;
      const length = peekLength(fd);
      const taken = length === undefined ? undefined : takePacket(fd, length, maxFds(), true);
      if (taken === undefined) {
        await this.#readiness.wait(this.#owned, 'readable', { signal });
        continue;
      }
      const from = taken.from === undefined ? undefined : decodeUnixAddress(taken.from);
      const { bytes, fds } = taken;
      return from === undefined ? { bytes, fds } : { bytes, fds, from };
    }
  }
}

function operandOf(fd: number, to: Uint8Array | undefined): { fd: number; dest?: string } {
  const dest = to === undefined ? undefined : decodeUnixAddress(to);
  return dest === undefined ? { fd } : { fd, dest };
}
