/** What every message of every dialect has: its name, spelled as on the wire or in PROTOCOL.md. */
export type AnyMessage = { readonly type: string };

/** A message as it arrived, and the file that came with it. */
export type Received<Message extends AnyMessage, File> = {
  readonly message: Message;
  /** Owned by whoever received it, who must close it. */
  readonly file?: File;
};

/**
 * One end of a conversation in some dialect, over packets (`SyncChannel`) or over a byte stream
 * (`StreamChannel`). The file is opaque: an owned descriptor on a socket, anything in a test.
 */
export interface MessageChannel<Message extends AnyMessage, File> {
  /** Sends one message behind those sent before. The file is borrowed. */
  send(message: Message, file?: File): Promise<void>;

  /**
   * The next message, or undefined at end of file. Several pending calls are served in order.
   * An aborted call fails with the signal's reason and loses no message.
   */
  receive(options?: { signal?: AbortSignal }): Promise<Received<Message, File> | undefined>;

  /** Closes this end and every file received but not yet handed out. Later calls do nothing. */
  close(): void;
}
