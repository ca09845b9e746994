import type { PacketDialect, StreamDialect } from '../dialects/dialect.ts';
import { dialects } from '../dialects/dialects.ts';
import {
  ChannelClosedError,
  isSyncError,
  MalformedTranscriptError,
  PeerGoneError,
  ReplayError,
} from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { AnyMessage, MessageChannel, Received } from '../message-channel.ts';
import { agreeFileFlag } from '../sync-flags.ts';
import type { SyncMessage } from '../sync-message.ts';
import type { SyncEnd } from '../sync-type.ts';
import type { TranscriptFd, TranscriptLine, TranscriptMessage } from './transcript-line.ts';

/** How a transcript is replayed. */
export type ReplayOptions<File> = {
  /** The end under test; the one that recorded when absent. The transcript plays the other one. */
  readonly end?: SyncEnd;
  /** Makes the file that comes with a message; the code under test owns it. */
  readonly makeFile?: (fd: TranscriptFd) => File;
};

/** A channel whose other end is a transcript. */
export type ReplayChannel<Message extends AnyMessage, File> = MessageChannel<Message, File> & {
  /** How many recorded messages, of both ends, have not had their turn yet. */
  readonly remaining: number;
};

/**
 * A channel on which the recorded conversation happens again, the same each time, with no clock and
 * no process: what the other end said comes when everything before it has had its turn, and what is
 * sent must be what was recorded.
 *
 * `send` fails with ReplayError for any other message, or for one that is not due yet; `receive`
 * waits while a message of this end is due, gives undefined where end of file was recorded, and
 * fails with ReplayError where the transcript breaks off. A recorded PeerGoneError is thrown again;
 * other recorded failures come as ReplayError with their text. Throws MalformedTranscriptError for messages that the
 * dialect does not have.
 */
export function replayTranscript<Message extends AnyMessage, File = never>(
  lines: readonly TranscriptLine[],
  options: ReplayOptions<File> = {},
): ReplayChannel<Message, File> {
  const begin = lines[0];
  if (begin?.event !== 'begin') {
    throw new MalformedTranscriptError(1, 'it does not begin with "begin"');
  }
  const dialect = dialects[begin.dialect] as unknown as PacketDialect | StreamDialect;
  const turns = lines.flatMap((line, index) => turnsOf(line, index + 1, dialect));
  return new Replay<Message, File>(turns, dialect, options.end ?? begin.recordedBy, options);
}

type Turn =
  | {
      readonly kind: 'message';
      readonly from: SyncEnd;
      readonly message: AnyMessage;
      readonly fd: TranscriptFd | undefined;
    }
  | { readonly kind: 'end'; readonly from: SyncEnd }
  | {
      readonly kind: 'failure';
      readonly from: SyncEnd;
      readonly code: string;
      readonly text: string;
    };

function turnsOf(
  line: TranscriptLine,
  number: number,
  dialect: PacketDialect | StreamDialect,
): readonly Turn[] {
  switch (line.event) {
    case 'begin':
      return [];
    case 'end':
      return [{ kind: 'end', from: line.from }];
    case 'failure':
      return [{ kind: 'failure', from: line.from, code: line.code, text: line.message }];
    case 'data':
      return line.messages.map((message, index) => {
        requireMessage(dialect, message, number);
        const fd = index === 0 ? line.fds?.[0] : undefined;
        return { kind: 'message', from: line.from, message, fd };
      });
  }
}

function requireMessage(
  dialect: PacketDialect | StreamDialect,
  message: TranscriptMessage,
  line: number,
): void {
  try {
    dialect.encode(message);
  } catch (cause) {
    if (!isSyncError(cause)) throw cause;
    throw new MalformedTranscriptError(line, `it has no message of ${dialect.name}`, { cause });
  }
}

type Waiter<Message extends AnyMessage, File> = {
  resolve(received: Received<Message, File> | undefined): void;
  reject(error: unknown): void;
};

class Replay<Message extends AnyMessage, File> implements ReplayChannel<Message, File> {
  readonly #turns: Turn[];
  readonly #dialect: PacketDialect | StreamDialect;
  readonly #end: SyncEnd;
  readonly #options: ReplayOptions<File>;
  readonly #waiters: Waiter<Message, File>[] = [];
  #closed = false;

  constructor(
    turns: readonly Turn[],
    dialect: PacketDialect | StreamDialect,
    end: SyncEnd,
    options: ReplayOptions<File>,
  ) {
    // That this end closed is no turn that anybody waits for.
    this.#turns = turns.filter(({ kind, from }) => kind !== 'end' || from !== end);
    this.#dialect = dialect;
    this.#end = end;
    this.#options = options;
  }

  get remaining(): number {
    return this.#turns.filter(({ kind }) => kind === 'message').length;
  }

  async send(message: Message, file?: File): Promise<void> {
    if (this.#closed) throw new ChannelClosedError('send');
    const turn = this.#turns[0];
    const sent =
      this.#dialect.framing === 'packet'
        ? agreeFileFlag(message as unknown as SyncMessage, file !== undefined)
        : message;
    const text = this.#encode(sent);
    if (
      turn?.kind !== 'message' ||
      turn.from !== this.#end ||
      textOf(this.#dialect, turn.message) !== text
    ) {
      throw new ReplayError(describe(turn, this.#dialect), `${text} from ${this.#end}`);
    }
    this.#turns.shift();
    const failure = this.#ownFailure();
    this.#serve();
    if (failure === undefined) return;
    if (failure.code === 'ERR_SYNC_PEER_GONE') throw new PeerGoneError(message.type);
    throw new ReplayError(`${text} to be sent`, `${failure.code}: ${failure.text}`);
  }

  async receive(
    options: { signal?: AbortSignal } = {},
  ): Promise<Received<Message, File> | undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new ChannelClosedError('receive');
    const { promise, ...waiter } = Promise.withResolvers<Received<Message, File> | undefined>();
    const abort = (): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at !== -1) this.#waiters.splice(at, 1);
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
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new ChannelClosedError('receive'));
  }

  /** Throws InvalidMessageError for what was refused when the transcript was recorded, too. */
  #encode(message: AnyMessage): string {
    try {
      return textOf(this.#dialect, message);
    } catch (error) {
      this.#ownFailure();
      throw error;
    }
  }

  /** Takes the failure of this end whose turn it is, if it is. */
  #ownFailure(): (Turn & { kind: 'failure' }) | undefined {
    const turn = this.#turns[0];
    if (turn?.kind !== 'failure' || turn.from !== this.#end) return undefined;
    this.#turns.shift();
    return turn;
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const turn = this.#turns[0];
      if (turn !== undefined && turn.from === this.#end) return;
      const waiter = this.#waiters.shift();
      try {
        waiter?.resolve(this.#play(turn));
      } catch (error) {
        waiter?.reject(error);
      }
    }
  }

  #play(turn: Turn | undefined): Received<Message, File> | undefined {
    if (turn === undefined) {
      throw new ReplayError('nothing more, for the transcript breaks off', 'a wait for a message');
    }
    // End of file stays: it can be seen again and again.
    if (turn.kind === 'end') return undefined;
    this.#turns.shift();
    if (turn.kind === 'failure') throw new ReplayError('a message', `${turn.code}: ${turn.text}`);
    const message = turn.message as Message;
    if (turn.fd === undefined) return { message };
    const file = this.#options.makeFile?.(turn.fd);
    if (file === undefined) {
      throw new ReplayError('makeFile to give a file', `none for ${excerpt(turn.fd.kind)}`);
    }
    return { message, file };
  }
}

function textOf(dialect: PacketDialect | StreamDialect, message: AnyMessage): string {
  const bytes = dialect.encode(message);
  const decoder = new TextDecoder();
  if (bytes instanceof Uint8Array) return decoder.decode(bytes);
  return bytes.map((piece) => decoder.decode(piece)).join('');
}

function describe(turn: Turn | undefined, dialect: PacketDialect | StreamDialect): string {
  if (turn === undefined) return 'nothing more';
  switch (turn.kind) {
    case 'end':
      return `end of file from ${turn.from}`;
    case 'failure':
      return `the failure ${stringifyExactJson(turn.text)}`;
    case 'message':
      return `${textOf(dialect, turn.message)} from ${turn.from}`;
  }
}
