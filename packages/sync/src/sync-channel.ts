import type { MessageChannel, Received } from './message-channel.ts';
import type { SyncMessage } from './sync-message.ts';

/**
 * A message as it arrived, and the file that came with it. The file bit of `flags` is set exactly
 * when `file` is there.
 */
export type ReceivedSync<File> = Received<SyncMessage, File>;

/**
 * What a transport must offer so that the handshake can run over it.
 *
 * The file is opaque here: an owned descriptor on a socket, anything in a test. Every
 * implementation must pass `syncChannelCompliance` from `@pilotlight/sync/testing`.
 */
export interface SyncChannel<File> extends MessageChannel<SyncMessage, File> {
  /**
   * Sends one message, in order behind those sent before, and the file right after it.
   *
   * The file bit is made to agree with whether `file` is given, whatever the message says.
   * The file is borrowed: the caller keeps it and closes it, on success and on failure.
   * Refuses before anything is sent what `encodePacket` refuses (InvalidMessageError,
   * PacketTooLargeError); fails with PeerGoneError when the other end is closed, with
   * ChannelClosedError when this one is.
   */
  send(message: SyncMessage, file?: File): Promise<void>;

  /**
   * The next message, or undefined at end of file: the other end is closed and all it had sent
   * has been received. Several pending calls are served in the order they were made.
   *
   * Fails with MalformedPacketError or PacketTooLargeError when what arrived is no message, after
   * closing any file that came with it; with ChannelClosedError when this end is or gets closed;
   * with the signal's reason when it is aborted, in which case no message is lost.
   */
  receive(options?: { signal?: AbortSignal }): Promise<ReceivedSync<File> | undefined>;

  /** Closes this end and every file received but not yet handed out. Later calls do nothing. */
  close(): void;
}
