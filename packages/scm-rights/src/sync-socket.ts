import {
  agreeFileFlag,
  ChannelClosedError,
  decodePacket,
  encodePacket,
  hasFileFlag,
  MalformedPacketError,
  PeerGoneError,
  type ReceivedSync,
  type SyncChannel,
  type SyncMessage,
} from '@pilotlight/sync';
import { closeAll } from './close-all.ts';
import { isScmRightsError, isSyscallError } from './errors.ts';
import { type FdLike, fdNumber } from './fd-like.ts';
import { decodeFile, encodeFileName } from './file-packet.ts';
import { fcntlGetfd } from './libc/fcntl.ts';
import { OwnedFd } from './owned-fd.ts';
import { attributeFds, callSite } from './owned-fd-observer.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { SeqpacketSocket } from './seqpacket-socket.ts';

/** How a file is called on the wire: its name is what the peer asked for. */
export interface NamedFile {
  name: string;
  fd: FdLike;
}

/** A received message; the file's name, where one came, is what the peer called it. */
export interface ReceivedSyncFile extends ReceivedSync<OwnedFd> {
  readonly fileName?: string;
}

/**
 * The sync channel over a packet socket, in runc's packet dialect (libcontainer/sync.go, 1.2.0): one packet of JSON per
 * message and, with flag bit 0, one more packet with the file.
 *
 *     parent                                   child
 *       |  {"type":"procMountPlease", …}         |
 *       | <------------------------------------- |
 *       |  {"type":"procMountFd","flags":1, …}   |
 *       | -------------------------------------> |
 *       |  name + SCM_RIGHTS                     |
 *       | -------------------------------------> |
 */
export class SyncSocket implements SyncChannel<OwnedFd>, Disposable {
  readonly #socket: SeqpacketSocket;
  readonly #receives: ReceiveQueue<ReceivedSyncFile | undefined, undefined>;
  #lastSend: Promise<void> = Promise.resolve();

  /** Takes over the socket. A descriptor that is no SOCK_SEQPACKET socket: SocketTypeError. */
  constructor(socket: SeqpacketSocket | OwnedFd) {
    this.#socket = socket instanceof OwnedFd ? new SeqpacketSocket(socket) : socket;
    this.#receives = new ReceiveQueue(
      (signal) => this.#take(signal),
      (received) => received?.file?.close(),
    );
  }

  get closed(): boolean {
    return this.#socket.closed;
  }

  /**
   * See `SyncChannel.send`. The file goes under its name; an OwnedFd without one under the empty name.
   *
   * Message, name and descriptor are all checked before the first packet is sent: a peer that was promised a file and does
   * not get one is stuck. If sending the file fails all the same, the channel is closed.
   */
  async send(message: SyncMessage, file?: OwnedFd | NamedFile): Promise<void> {
    if (this.closed) throw new ChannelClosedError('send');
    const packet = encodePacket(agreeFileFlag(message, file !== undefined));
    const named = file instanceof OwnedFd ? { name: '', fd: file } : file;
    const name = named === undefined ? undefined : encodeFileName(named.name);
    // One message at a time: nothing may come between a packet and its file.
    const turn = this.#lastSend;
    const sending = turn.then(() => this.#transmit(packet, name, named?.fd));
    this.#lastSend = sending.catch(() => {});
    try {
      await sending;
    } catch (cause) {
      if (isSyscallError(cause, 'EPIPE') || isSyscallError(cause, 'ECONNRESET')) {
        throw new PeerGoneError(message.type, { cause });
      }
      if (isScmRightsError(cause, 'ERR_SCM_SOCKET_CLOSED')) {
        throw new ChannelClosedError('send', { cause });
      }
      throw cause;
    }
  }

  /** See `SyncChannel.receive`. The caller closes the file. */
  async receive(options: { signal?: AbortSignal } = {}): Promise<ReceivedSyncFile | undefined> {
    const site = callSite();
    const received = await this.#receives.receive(undefined, options.signal);
    if (received?.file !== undefined) attributeFds([received.file], site);
    return received;
  }

  /** Tells the peer that nothing more will be sent: it reads end of file. Receiving goes on. */
  endSending(): void {
    this.#socket.endSending();
  }

  /** See `SyncChannel.close`. */
  close(): void {
    this.#receives.close(new ChannelClosedError('receive'));
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #transmit(
    packet: Uint8Array,
    name: Uint8Array | undefined,
    fd: FdLike | undefined,
  ): Promise<void> {
    if (name === undefined || fd === undefined) return this.#socket.send(packet);
    // EBADF now, while nothing is sent, rather than between the two packets.
    fcntlGetfd(fdNumber(fd));
    await this.#socket.send(packet);
    try {
      await this.#socket.send(name, [fd]);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #take(signal: AbortSignal): Promise<ReceivedSyncFile | undefined> {
    const packet = await this.#socket.receive({ signal });
    if (packet === undefined) return undefined;
    if (packet.fds.length > 0) {
      const count = packet.fds.length;
      closeAll(packet.fds);
      throw malformed(`${count} descriptors came with the message itself`);
    }
    const message = await this.#decode(packet.bytes);
    if (!hasFileFlag(message.flags)) return { message };
    // From here on not to be aborted: half a message was taken.
    const { fd, name } = await this.#takeFile();
    return { message, file: fd, fileName: name };
  }

  async #decode(bytes: Uint8Array): Promise<SyncMessage> {
    try {
      return decodePacket(bytes);
    } catch (error) {
      if (error instanceof MalformedPacketError && error.fileFollows) {
        // It would be read as the next message otherwise.
        closeAll((await this.#socket.receive())?.fds ?? []);
      }
      throw error;
    }
  }

  async #takeFile(): Promise<{ fd: OwnedFd; name: string }> {
    const packet = await this.#socket.receive();
    if (packet === undefined) throw malformed('the file it announced did not come');
    try {
      return decodeFile(packet.bytes, packet.fds);
    } catch (cause) {
      throw malformed('what came as its file is none', cause);
    }
  }
}

function malformed(reason: string, cause?: unknown): MalformedPacketError {
  return new MalformedPacketError(
    `receive a sync packet: ${reason}`,
    false,
    cause === undefined ? undefined : { cause },
  );
}
