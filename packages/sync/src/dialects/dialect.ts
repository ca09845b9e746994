import type { HandshakeTable } from '../handshake/handshake-table.ts';
import type { JsonValue } from '../json/json-value.ts';
import type { AnyMessage } from '../message-channel.ts';
import type { SyncEnd } from '../sync-type.ts';

/** What holds for every message of one type in a dialect. */
export type DialectTypeRule = {
  /** The only end that sends it. */
  readonly sender: SyncEnd;
  /** One line: what the sender says with it. */
  readonly meaning: string;
  /** The type the other end answers with; absent when nothing answers. */
  readonly reply?: string;
  /** The number that stands for it on the wire; only in the dialects that have numbers. */
  readonly code?: number;
};

/** What is the same in a dialect over packets and one over a byte stream. */
export type DialectCommon<Message extends AnyMessage, Name extends string, Init extends string> = {
  /** The name to ask for it by, for example `runc-1.0`. */
  readonly name: Name;
  /** The short name that PROTOCOL.md uses, for example `D4`. */
  readonly id: string;
  /** Who spoke it, in words: the first and the last release. */
  readonly spokenBy: string;
  readonly types: Readonly<Record<Message['type'], DialectTypeRule>>;
  /** The legal orders, one table for both ends each, by what the child is started for. */
  readonly handshakes: Readonly<Record<Init, HandshakeTable<Message['type']>>>;
  /**
   * A message of a type, with its argument where the type has one: the error object for procError,
   * the descriptor's number for procSeccomp, the members beside `type` for embedshim's messages.
   * Throws InvalidMessageError for an argument that the type does not have or lacks.
   */
  message(type: Message['type'], arg?: JsonValue): Message;
  /** The message by which a child reports a failure with this text. */
  failure(text: string): Message;
};

/** A dialect whose messages are JSON objects back to back on a byte stream. */
export type StreamDialect<
  Message extends AnyMessage = AnyMessage,
  Name extends string = string,
  Init extends string = string,
> = DialectCommon<Message, Name, Init> & {
  readonly framing: 'stream';
  /**
   * The bytes of a message: one element for each write call that the original makes, so two for
   * procError. Throws InvalidMessageError.
   */
  encode(message: Message): readonly Uint8Array[];
  /**
   * The message that one object stands for. Throws MalformedObjectError.
   * When `payloadFollows` says so, the next object on the stream still belongs to it.
   */
  decode(object: string): Message;
  payloadFollows(message: Message): boolean;
  /** The message with the object that followed it. Throws MalformedObjectError. */
  withPayload(message: Message, object: string): Message;
};

/** A dialect whose messages are one packet each. */
export type PacketDialect<
  Message extends AnyMessage = AnyMessage,
  Name extends string = string,
  Init extends string = string,
> = DialectCommon<Message, Name, Init> & {
  readonly framing: 'packet';
  /** The bytes of one packet. Throws InvalidMessageError and PacketTooLargeError. */
  encode(message: Message): Uint8Array;
  /** The message in one packet. Throws MalformedPacketError and PacketTooLargeError. */
  decode(packet: Uint8Array): Message;
};
