import { fchmodSync } from 'node:fs';
import { SocketFile } from '../address/socket-file.ts';
import { encodeUnixAddress, type UnixAddress } from '../address/unix-address.ts';
import { isScmRightsError, SocketClosedError, SocketTypeError, syscallError } from '../errors.ts';
import { tryAccept4 } from '../libc/accept4.ts';
import { bind } from '../libc/bind.ts';
import { O_NONBLOCK, SOCK_NONBLOCK } from '../libc/constants.ts';
import { EAGAIN, ECONNABORTED } from '../libc/errno.ts';
import { fcntlGetfl, fcntlSetfl } from '../libc/fcntl.ts';
import { isListening, socketType } from '../libc/getsockopt.ts';
import { listen } from '../libc/listen.ts';
import { socket } from '../libc/socket.ts';
import { OwnedFd } from '../owned-fd.ts';
import { type Readiness, readiness as sharedReadiness } from '../readiness/readiness.ts';

export interface ListenOptions {
  /** How many connections may wait to be accepted; 511 by default, and at most net.core.somaxconn. */
  backlog?: number;
  /** Permissions of the socket file, less the umask; 0o777 by default. Who may write to it may connect. */
  mode?: number;
  readiness?: Readiness;
}

const BACKLOG = 511;

/** A socket that others connect to, and the file that stands for it; unix(7). */
export class ListeningSocket implements Disposable {
  readonly #owned: OwnedFd;
  readonly #readiness: Readiness;
  readonly #file: SocketFile | undefined;

  private constructor(owned: OwnedFd, readiness: Readiness | undefined, file?: SocketFile) {
    this.#owned = owned;
    this.#readiness = readiness ?? sharedReadiness;
    this.#file = file;
  }

  /**
   * Makes a socket of a `SOCK_…` type that listens at `address`. A file that is there already is never removed.
   *
   * Throws SyscallError (EADDRINUSE), SocketAddressError, InvalidStringError.
   */
  static bind(type: number, address: UnixAddress, options: ListenOptions): ListeningSocket {
    const sockaddr = encodeUnixAddress(address);
    const owned = new OwnedFd(socket(type | SOCK_NONBLOCK), `socket listening at ${address}`);
    try {
      // Before the file exists: nobody can connect with wider permissions in between.
      fchmodSync(owned.fd, options.mode ?? 0o777);
      bind(owned.fd, sockaddr, address);
      const file = SocketFile.at(address);
      try {
        listen(owned.fd, options.backlog ?? BACKLOG, address);
      } catch (error) {
        file?.remove();
        throw error;
      }
      return new ListeningSocket(owned, options.readiness, file);
    } catch (error) {
      owned.close();
      throw error;
    }
  }

  /** Takes over a socket that listens already, such as one from `listenFds`. Throws SocketTypeError, SyscallError. */
  static adopt(type: number, owned: OwnedFd, options: ListenOptions): ListeningSocket {
    const actual = socketType(owned.fd);
    if (actual !== type || !isListening(owned.fd)) {
      const received = actual === type ? 'one that does not listen' : `socket type ${actual}`;
      throw new SocketTypeError(
        owned.fd,
        `a listening socket of type ${type}`,
        received,
        'listening socket',
      );
    }
    fcntlSetfl(owned.fd, fcntlGetfl(owned.fd) | O_NONBLOCK);
    return new ListeningSocket(owned, options.readiness);
  }

  get fd(): number {
    return this.#owned.fd;
  }

  get closed(): boolean {
    return this.#owned.closed;
  }

  /**
   * The next connection, non-blocking and close-on-exec. The caller closes it.
   *
   * Throws SocketClosedError, SyscallError (EMFILE: the connection stays in the queue), the signal's reason.
   */
  async accept(signal?: AbortSignal): Promise<OwnedFd> {
    signal?.throwIfAborted();
    try {
      for (;;) {
        if (this.closed) throw new SocketClosedError('accept a connection');
        const fd = tryAccept4(this.fd);
        if (fd >= 0) return new OwnedFd(fd, 'accepted connection');
        // It was given up before we came to it.
        if (fd === -ECONNABORTED) continue;
        if (fd !== -EAGAIN) throw syscallError(fd, 'accept4', this.fd);
        await this.#readiness.wait(this.#owned, 'readable', { signal });
      }
    } catch (error) {
      if (this.closed && isScmRightsError(error, 'ERR_SCM_FD_CLOSED')) {
        throw new SocketClosedError('accept a connection');
      }
      throw error;
    }
  }

  /** Stops listening and removes the file it made, unless another one has taken its place. */
  close(): void {
    if (this.closed) return;
    // First the file: whoever finds it finds somebody listening.
    this.#file?.remove();
    this.#owned.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
