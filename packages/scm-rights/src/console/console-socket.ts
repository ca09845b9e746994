import type { UnixAddress } from '../address/unix-address.ts';
import { closeAll } from '../close-all.ts';
import {
  ControlTruncatedError,
  isSyscallError,
  NotATerminalError,
  syscallError,
  UnexpectedEofError,
} from '../errors.ts';
import { decodeFile, MAX_FILE_NAME_BYTES, type ReceivedFile } from '../file-packet.ts';
import { MSG_CTRUNC, SCM_MAX_FD, SOCK_STREAM } from '../libc/constants.ts';
import { EAGAIN } from '../libc/errno.ts';
import { tryRecvmsg } from '../libc/recvmsg.ts';
import { ioctlGetWindowSize } from '../libc/window-size.ts';
import { ListeningSocket, type ListenOptions } from '../listen/listening-socket.ts';
import { OwnedFd } from '../owned-fd.ts';
import { attributeFds, callSite } from '../owned-fd-observer.ts';
import { readiness as sharedReadiness } from '../readiness/readiness.ts';

/**
 * What `--console-socket` of an OCI runtime names: it listens, and receives the master of each container's terminal, as runc's
 * recvtty does (contrib/cmd/recvtty, 1.2.0).
 *
 *     runtime                                     here
 *       |  connect                                 |
 *       | ---------------------------------------> |
 *       |  name of the pty + its master            |
 *       | ---------------------------------------> |
 *       |  close                                   |
 */
export class ConsoleSocket implements Disposable {
  readonly #listening: ListeningSocket;
  readonly #options: ListenOptions;

  private constructor(listening: ListeningSocket, options: ListenOptions) {
    this.#listening = listening;
    this.#options = options;
  }

  /** Listens at `address`; the file has mode 0o600 by default. Throws SyscallError (EADDRINUSE), SocketAddressError. */
  static listen(address: UnixAddress, options: ListenOptions = {}): ConsoleSocket {
    const withMode = { mode: 0o600, ...options };
    return new ConsoleSocket(ListeningSocket.bind(SOCK_STREAM, address, withMode), options);
  }

  get closed(): boolean {
    return this.#listening.closed;
  }

  /**
   * The next terminal master that somebody sends, and the name it was given, which is only for people: runc up to 1.1 says
   * `/dev/ptmx`. The caller closes it; wrap its number in `tty.ReadStream` and `tty.WriteStream` to talk to the program.
   *
   * A sender that keeps to no rule ends this call only, and the next one can go on: UnexpectedEofError (it sent nothing),
   * UnexpectedFdsError, FileNameTooLongError, ControlTruncatedError, NotATerminalError; all that came is closed. Throws
   * SocketClosedError, SyscallError, the signal's reason. A sender that connects and stays silent ends only by the signal.
   */
  async receive(options: { signal?: AbortSignal | undefined } = {}): Promise<ReceivedFile> {
    const site = callSite();
    using connection = await this.#listening.accept(options.signal);
    const file = await this.#receiveFile(connection, options.signal);
    try {
      ioctlGetWindowSize(file.fd.fd);
      attributeFds([file.fd], site);
      return file;
    } catch (error) {
      file.fd.close();
      throw isSyscallError(error, 'ENOTTY') ? new NotATerminalError(file.name, error) : error;
    }
  }

  /** Stops listening and removes the file. Later calls do nothing. */
  close(): void {
    this.#listening.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #receiveFile(connection: OwnedFd, signal: AbortSignal | undefined): Promise<ReceivedFile> {
    const { readiness = sharedReadiness } = this.#options;
    const payload = new Uint8Array(MAX_FILE_NAME_BYTES);
    for (;;) {
      const received = tryRecvmsg(connection.fd, payload);
      if (received === -EAGAIN) {
        await readiness.wait(connection, 'readable', { signal });
        continue;
      }
      if (typeof received === 'number') throw syscallError(received, 'recvmsg', connection.fd);
      const fds = received.fds.map((fd) => new OwnedFd(fd, 'terminal master'));
      if ((received.flags & MSG_CTRUNC) !== 0) {
        closeAll(fds);
        throw new ControlTruncatedError(connection.fd, fds.length, SCM_MAX_FD);
      }
      if (received.length === 0) throw new UnexpectedEofError(connection.fd, 'a console');
      return decodeFile(payload.subarray(0, received.length), fds);
    }
  }
}
