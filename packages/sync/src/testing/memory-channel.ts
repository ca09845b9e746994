import { ChannelClosedError, isSyncError, MalformedPacketError, PeerGoneError } from '../errors.ts';
import { decodePacket, encodePacket } from '../packet.ts';
import type { ReceivedSync, SyncChannel } from '../sync-channel.ts';
import { agreeFileFlag, hasFileFlag } from '../sync-flags.ts';
import type { SyncMessage } from '../sync-message.ts';
import { MemoryFileTable, type MemoryFile } from './memory-file.ts';

/** Two connected channels in memory, and the table that counts the files they hold. */
export type MemoryChannelPair = {
  readonly parent: SyncChannel<MemoryFile>;
  readonly child: SyncChannel<MemoryFile>;
  readonly files: MemoryFileTable;
  /** Puts bytes on the wire from the child to the parent without any check, then a file. */
  readonly sendRaw: (bytes: Uint8Array, file?: MemoryFile) => void;
};

/**
 * A connected pair for tests of code that speaks the protocol: no process, no socket.
 * Messages pass through the packet codec, and files are duplicated on their way, as a kernel does.
 */
export function memoryChannelPair(
  files: MemoryFileTable = new MemoryFileTable(),
): MemoryChannelPair {
  const parent = new MemoryChannel();
  const child = new MemoryChannel();
  parent.connect(child);
  child.connect(parent);
  return {
    parent,
    child,
    files,
    sendRaw: (bytes, file) => parent.deliver({ bytes, file: file?.duplicate() }),
  };
}

type Packet = { readonly bytes: Uint8Array; readonly file: MemoryFile | undefined };

type Waiter = {
  resolve(received: ReceivedSync<MemoryFile> | undefined): void;
  reject(error: unknown): void;
};

class MemoryChannel implements SyncChannel<MemoryFile> {
  readonly #arrived: Packet[] = [];
  readonly #waiters: Waiter[] = [];
  #peer: MemoryChannel | undefined;
  #closed = false;

  connect(peer: MemoryChannel): void {
    this.#peer = peer;
  }

  deliver(packet: Packet): void {
    this.#arrived.push(packet);
    this.#serve();
  }

  async send(message: SyncMessage, file?: MemoryFile): Promise<void> {
    if (this.#closed) throw new ChannelClosedError('send');
    const bytes = encodePacket(agreeFileFlag(message, file !== undefined));
    const peer = this.#peer;
    if (peer === undefined || peer.#closed) throw new PeerGoneError(message.type);
    peer.deliver({ bytes, file: file?.duplicate() });
  }

  async receive(
    options: { signal?: AbortSignal } = {},
  ): Promise<ReceivedSync<MemoryFile> | undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new ChannelClosedError('receive');
    const { promise, ...waiter } = Promise.withResolvers<ReceivedSync<MemoryFile> | undefined>();
    const abort = (): void => {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    this.#waiters.push(waiter);
    this.#serve();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { file } of this.#arrived.splice(0)) file?.[Symbol.dispose]();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new ChannelClosedError('receive'));
    if (this.#peer !== undefined) this.#peer.#serve();
  }

  #peerClosed(): boolean {
    return this.#peer === undefined || this.#peer.#closed;
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const packet = this.#arrived.shift();
      if (packet === undefined && !this.#peerClosed()) return;
      const waiter = this.#waiters.shift();
      if (packet === undefined) waiter?.resolve(undefined);
      else if (waiter !== undefined) open(packet, waiter);
    }
  }
}

function open({ bytes, file }: Packet, waiter: Waiter): void {
  try {
    const message = decodePacket(bytes);
    if (hasFileFlag(message.flags) !== (file !== undefined)) {
      throw new MalformedPacketError(
        `receive ${message.type}: its flags and the file packet disagree`,
        false,
      );
    }
    waiter.resolve(file === undefined ? { message } : { message, file });
  } catch (error) {
    if (!isSyncError(error)) throw error;
    file?.[Symbol.dispose]();
    waiter.reject(error);
  }
}
