import {
  getWindowSize,
  type OwnedFd,
  receiveFile,
  SeqpacketSocket,
  setWindowSize,
  socketpair,
  type WindowSize,
} from '@pilotlight/scm-rights';

/**
 * A pair of sockets through which a launch hands back the master of the terminal that it made in the container.
 *
 *     const channel = new ConsoleChannel();
 *     const launching = launch(config, { consoleSocket: channel.socket });
 *     const master = await channel.receive({ size });
 */
export class ConsoleChannel implements Disposable {
  /** For `consoleSocket` of `LaunchOptions`; open until the master has come or this is closed. */
  readonly socket: OwnedFd;
  readonly #ours: SeqpacketSocket;

  constructor() {
    const [ours, theirs] = socketpair('seqpacket');
    this.socket = theirs;
    this.#ours = new SeqpacketSocket(ours);
  }

  /**
   * The master, which the caller closes; then this channel is closed. With a `size` other than 0 by 0 the terminal has it
   * before the call resolves. Close the channel if the launch fails first.
   *
   * Throws UnexpectedEofError when the other end was closed without sending one, UnexpectedFdsError, SyscallError (ENOTTY: it
   * is no terminal), SocketClosedError after `close`, the signal's reason.
   */
  async receive(
    options: { size?: WindowSize | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<OwnedFd> {
    const { fd: master } = await receiveFile(this.#ours, { signal: options.signal });
    this.close();
    try {
      const { size } = options;
      if (size === undefined || (size.rows === 0 && size.columns === 0)) getWindowSize(master);
      else setWindowSize(master, size);
      return master;
    } catch (error) {
      master.close();
      throw error;
    }
  }

  /** Closes both ends; a pending `receive` rejects with SocketClosedError. Later calls do nothing. */
  close(): void {
    this.#ours.close();
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
