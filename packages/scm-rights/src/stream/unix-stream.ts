import { Duplex } from 'node:stream';
import { closeAll } from '../close-all.ts';
import {
  ControlTruncatedError,
  InvalidArgumentError,
  isSyscallError,
  SocketClosedError,
  SocketTypeError,
  syscallError,
  TooManyFdsError,
} from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { MSG_CTRUNC, O_NONBLOCK, SCM_MAX_FD, SHUT_WR, SOCK_STREAM } from '../libc/constants.ts';
import { EAGAIN } from '../libc/errno.ts';
import { fcntlDupfd, fcntlGetfd, fcntlGetfl, fcntlSetfl } from '../libc/fcntl.ts';
import { isListening, socketType } from '../libc/getsockopt.ts';
import { tryRecvmsg } from '../libc/recvmsg.ts';
import { trySendmsg } from '../libc/sendmsg.ts';
import { shutdown } from '../libc/shutdown.ts';
import { socketpair } from '../libc/socketpair.ts';
import { OwnedFd } from '../owned-fd.ts';
import { attributeFds, callSite } from '../owned-fd-observer.ts';
import { type Readiness, readiness as sharedReadiness } from '../readiness/readiness.ts';
import { type PeerCredentials, peerCredentials, peerPidfd } from './peer.ts';

export interface UnixStreamOptions {
  /** Keep writing open when the peer has ended its side. By default this side ends too, as with `net.Socket`. */
  allowHalfOpen?: boolean;
  /** Bytes to buffer before reading pauses; as for any stream. */
  readableHighWaterMark?: number;
  /** Bytes to buffer before `write` returns false; as for any stream. */
  writableHighWaterMark?: number;
  /**
   * Hand over received descriptors as plain numbers, which the listener closes, for code that knows nothing else, such as
   * the dbus-native package.
   */
  plainFds?: boolean;
  readiness?: Readiness;
}

const READ_BYTES = 65_536;

/** One for all streams: what is received is copied out before anything else can be. */
let scratch: Uint8Array | undefined;

type Callback = (error?: Error | null) => void;

/** Descriptors on their way out, with the chunk they belong to. */
interface Attachment {
  /** As given; valid during `writeWithFds` only. */
  readonly given: readonly number[];
  /** Copies, from when the chunk has to wait. */
  copies: OwnedFd[] | undefined;
  sent: boolean;
}

interface Part {
  bytes: Uint8Array;
  readonly attachment: Attachment | undefined;
}

/**
 * A connected stream socket as a Node stream that can carry descriptors; unix(7), SCM_RIGHTS.
 *
 * Besides what every Duplex has, `writeWithFds(bytes, fds)` sends descriptors, and the event `'fds'` hands over those that
 * came, as an array of OwnedFd in the order they were sent, always before the bytes they came with can be read: never after,
 * sometimes early, because bytes sent before may still be unread. Whoever listens owns them. What comes while nobody listens
 * is closed and counted in {@link unclaimedFds}, as a plain `read(2)` would do: a peer cannot fill our descriptor table.
 *
 * Reading pauses, and descriptors stay in the kernel, while the stream's buffer is full. Errors are SyscallError (ECONNRESET,
 * EPIPE) and ControlTruncatedError (the kernel dropped descriptors, so bytes and descriptors no longer belong together); each
 * destroys the stream.
 */
export class UnixStream extends Duplex {
  readonly #owned: OwnedFd;
  readonly #readiness: Readiness;
  readonly #attachments = new Map<Uint8Array, Attachment>();
  readonly #plainFds: boolean;
  /** Where this stream was made: its descriptors come when no caller is on the stack. */
  readonly #site: Error | undefined = callSite();
  #unclaimed = 0;

  /**
   * Takes over `owned` and makes it non-blocking, for every process that shares the open socket.
   *
   * Throws SocketTypeError for anything but a stream socket that does not listen, SyscallError; then `owned` stays with the
   * caller.
   */
  constructor(owned: OwnedFd, options: UnixStreamOptions = {}) {
    const {
      allowHalfOpen = false,
      plainFds = false,
      readiness = sharedReadiness,
      ...rest
    } = options;
    checkStream(owned.fd);
    fcntlSetfl(owned.fd, fcntlGetfl(owned.fd) | O_NONBLOCK);
    super({ ...rest, allowHalfOpen });
    this.#owned = owned;
    this.#readiness = readiness;
    this.#plainFds = plainFds;
  }

  /** Takes over a descriptor number that was inherited or made elsewhere, and marks it close-on-exec. Throws as the constructor. */
  static fromFd(fd: number, options?: UnixStreamOptions): UnixStream {
    return new UnixStream(OwnedFd.adopt(fd, 'stream socket'), options);
  }

  /** Two streams connected to each other. Throws SyscallError. */
  static pair(options?: UnixStreamOptions): [UnixStream, UnixStream] {
    const [a, b] = socketpair(SOCK_STREAM);
    const ends = [new OwnedFd(a, 'stream socket'), new OwnedFd(b, 'stream socket')] as const;
    return [new UnixStream(ends[0], options), new UnixStream(ends[1], options)];
  }

  /** The descriptor's number; FdClosedError once destroyed. */
  get fd(): number {
    return this.#owned.fd;
  }

  /** How many descriptors were closed because they came while nobody listened for `'fds'`. */
  get unclaimedFds(): number {
    return this.#unclaimed;
  }

  /** See {@link peerCredentials}. */
  peerCredentials(): PeerCredentials {
    return peerCredentials(this.#owned);
  }

  /** See {@link peerPidfd}. */
  peerPidfd(): OwnedFd {
    return peerPidfd(this.#owned);
  }

  /**
   * Writes at least one byte with 1 to 253 descriptors, behind what was written before. Returns and calls back as `write` does.
   *
   * The descriptors stay the caller's, who may close them as soon as this returns: where the bytes have to wait, copies wait
   * with them. The receiver gets them with the first of these bytes. Throws, having written nothing: InvalidArgumentError (no
   * bytes), TooManyFdsError, FdClosedError, InvalidFdError, SyscallError (EBADF).
   */
  writeWithFds(bytes: Uint8Array, fds: readonly FdLike[], callback?: Callback): boolean {
    const given = checkedNumbers(bytes, fds);
    // An object of our own, by which the chunk is known again.
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (given.length === 0 || this.destroyed || this.writableEnded)
      return this.write(chunk, callback);
    const attachment: Attachment = { given, copies: undefined, sent: false };
    this.#attachments.set(chunk, attachment);
    const more = this.write(chunk, callback);
    if (!attachment.sent && !this.destroyed) this.#keepCopies(attachment);
    return more;
  }

  /** Closes descriptors that this stream handed over and nobody wants. For those who know streams only by their methods. */
  closeFds(fds: Iterable<OwnedFd | number>): void {
    closeAll(fds);
  }

  override _read(): void {
    let received;
    try {
      received = tryRecvmsg(this.#owned.fd, (scratch ??= Buffer.allocUnsafeSlow(READ_BYTES)));
    } catch (error) {
      this.destroy(asError(error));
      return;
    }
    if (received === -EAGAIN) {
      this.#readiness.wait(this.#owned, 'readable').then(
        () => this.destroyed || this._read(),
        (error: unknown) => this.#giveUp(error),
      );
    } else if (typeof received === 'number') {
      this.destroy(syscallError(received, 'recvmsg', this.#owned.fd));
    } else this.#take(received, scratch);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#send([this.#part(chunk)], callback);
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: Callback): void {
    this.#send(joinPlain(chunks.map(({ chunk }) => this.#part(chunk))), callback);
  }

  override _final(callback: Callback): void {
    try {
      shutdown(this.#owned.fd, SHUT_WR);
    } catch (error) {
      // The peer is gone already: nobody is left to be told.
      if (!isSyscallError(error, 'ENOTCONN')) {
        callback(asError(error));
        return;
      }
    }
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    try {
      for (const { copies } of this.#attachments.values()) closeAll(copies ?? []);
      this.#attachments.clear();
      this.#owned.close();
    } catch (failure) {
      callback(error ?? asError(failure));
      return;
    }
    callback(error);
  }

  #take(
    received: { length: number; fds: readonly number[]; flags: number },
    memory: Uint8Array,
  ): void {
    // Owned before anything is checked: from here on every failure closes them all.
    const fds = received.fds.map((number) => new OwnedFd(number, 'received descriptor'));
    attributeFds(fds, this.#site);
    if ((received.flags & MSG_CTRUNC) !== 0) {
      closeAll(fds);
      this.destroy(new ControlTruncatedError(this.#owned.fd, fds.length, SCM_MAX_FD));
      return;
    }
    // Copied before anybody is called, who might read more into the same memory.
    const bytes = Buffer.from(memory.subarray(0, received.length));
    if (fds.length > 0) this.#handOver(fds);
    this.push(bytes.length === 0 ? null : bytes);
  }

  #handOver(fds: readonly OwnedFd[]): void {
    if (this.listenerCount('fds') > 0) {
      this.emit('fds', this.#plainFds ? fds.map((owned) => owned.release()) : fds);
      return;
    }
    this.#unclaimed += fds.length;
    closeAll(fds);
  }

  #part(bytes: Uint8Array): Part {
    return { bytes, attachment: this.#attachments.get(bytes) };
  }

  #send(parts: Part[], callback: Callback): void {
    try {
      for (let part = parts[0]; part !== undefined; part = parts[0]) {
        if (!this.#trySend(part)) {
          // Also when destroyed meanwhile: the callbacks of later writes are waiting behind this one.
          this.#readiness.wait(this.#owned, 'writable').then(
            () => (this.destroyed ? callback(cutOff()) : this.#send(parts, callback)),
            (error: unknown) => callback(this.destroyed ? cutOff() : asError(error)),
          );
          return;
        }
        if (part.bytes.length === 0) parts.shift();
      }
    } catch (error) {
      callback(asError(error));
      return;
    }
    callback();
  }

  /** Sends what the socket takes of a part, whose `bytes` are then what is left. False if there is no room at all. */
  #trySend(part: Part): boolean {
    const { bytes, attachment } = part;
    if (bytes.length === 0) return true;
    const fds = attachment === undefined || attachment.sent ? [] : numbersOf(attachment);
    const result = trySendmsg(this.#owned.fd, bytes, { fds });
    if (result === -EAGAIN) return false;
    if (result < 0) throw syscallError(result, 'sendmsg', this.#owned.fd);
    if (attachment !== undefined && !attachment.sent) this.#forget(attachment, bytes);
    part.bytes = bytes.subarray(result);
    return true;
  }

  #keepCopies(attachment: Attachment): void {
    attachment.copies = [];
    try {
      for (const fd of attachment.given) {
        attachment.copies.push(new OwnedFd(fcntlDupfd(fd), 'descriptor to send'));
      }
    } catch (error) {
      // The bytes are in the queue and cannot be taken back, and must not go without their descriptors.
      this.destroy(asError(error));
    }
  }

  #forget(attachment: Attachment, chunk: Uint8Array): void {
    attachment.sent = true;
    this.#attachments.delete(chunk);
    closeAll(attachment.copies ?? []);
  }

  #giveUp(error: unknown): void {
    if (!this.destroyed) this.destroy(asError(error));
  }
}

function checkStream(fd: number): void {
  const type = socketType(fd);
  if (type !== SOCK_STREAM) {
    throw new SocketTypeError(fd, 'SOCK_STREAM', `socket type ${type}`, 'stream');
  }
  if (isListening(fd)) {
    throw new SocketTypeError(fd, 'a connected socket', 'one that listens', 'stream');
  }
}

function checkedNumbers(bytes: Uint8Array, fds: readonly FdLike[]): number[] {
  if (fds.length > SCM_MAX_FD) throw new TooManyFdsError(fds.length, SCM_MAX_FD);
  if (bytes.length === 0 && fds.length > 0) {
    throw new InvalidArgumentError('bytes to send with descriptors', 'at least one', 'none');
  }
  const numbers = fds.map(fdNumber);
  for (const number of numbers) fcntlGetfd(number);
  return numbers;
}

function numbersOf({ copies, given }: Attachment): readonly number[] {
  return copies === undefined ? given : copies.map(({ fd }) => fd);
}

/** Makes one part of those in a row that carry nothing: descriptors belong to their own bytes and to no others. */
function joinPlain(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  let plain: Uint8Array[] = [];
  const flush = (): void => {
    if (plain.length === 0) return;
    const bytes = plain.length === 1 ? plain[0]! : Buffer.concat(plain);
    joined.push({ bytes, attachment: undefined });
    plain = [];
  };
  for (const part of parts) {
    if (part.attachment === undefined) plain.push(part.bytes);
    else {
      flush();
      joined.push(part);
    }
  }
  flush();
  return joined;
}

function cutOff(): Error {
  return new SocketClosedError('write to a stream');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
