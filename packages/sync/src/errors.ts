import type { InitErrorArg } from './args/init-error.ts';
import type { SyncEnd } from './sync-type.ts';

/** The stable names of everything this package throws. */
export type SyncErrorCode =
  | 'ERR_SYNC_JSON'
  | 'ERR_SYNC_MALFORMED_PACKET'
  | 'ERR_SYNC_MALFORMED_OBJECT'
  | 'ERR_SYNC_TRUNCATED'
  | 'ERR_SYNC_INVALID_MESSAGE'
  | 'ERR_SYNC_TOO_LARGE'
  | 'ERR_SYNC_MALFORMED_ARG'
  | 'ERR_SYNC_INVALID_ARG'
  | 'ERR_SYNC_UNEXPECTED_TYPE'
  | 'ERR_SYNC_EOF'
  | 'ERR_SYNC_PEER_ERROR'
  | 'ERR_SYNC_HANDSHAKE'
  | 'ERR_SYNC_CLOSED'
  | 'ERR_SYNC_PEER_GONE'
  | 'ERR_SYNC_UNEXPECTED_FILE'
  | 'ERR_SYNC_ABORTED'
  | 'ERR_SYNC_NO_ANSWER'
  | 'ERR_SYNC_INVALID_BOOTSTRAP'
  | 'ERR_SYNC_MALFORMED_BOOTSTRAP'
  | 'ERR_SYNC_INVALID_CONFIG'
  | 'ERR_SYNC_MALFORMED_CONFIG'
  | 'ERR_SYNC_MALFORMED_TRANSCRIPT'
  | 'ERR_SYNC_REPLAY';

const mark = Symbol.for('@pilotlight/sync.error');

/** The common shape of every error of this package. Recognise it with {@link isSyncError}. */
export class SyncError extends Error {
  override readonly name: string = 'SyncError';
  readonly code: SyncErrorCode;
  /** What the reader can do about it. */
  readonly hint: string;

  constructor(code: SyncErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** Whether a value is an error of this package, also when another copy of the package made it. */
export function isSyncError(value: unknown): value is SyncError {
  return value instanceof Error && mark in value;
}

/** Whether a value is a {@link PeerInitError}, also from another copy of the package. */
export function isPeerInitError(value: unknown): value is PeerInitError {
  return isSyncError(value) && value.code === 'ERR_SYNC_PEER_ERROR';
}

/** Thrown when a text is not one JSON value, or a value has no JSON form. */
export class JsonError extends SyncError {
  override readonly name: string = 'JsonError';
  /** Where in the text reading stopped, in UTF-16 units; absent when a value was being written. */
  declare readonly offset?: number;

  constructor(message: string, hint: string, offset?: number) {
    super('ERR_SYNC_JSON', message, hint);
    if (offset !== undefined) this.offset = offset;
  }
}

/** Thrown when received bytes are no packet of the dialect. */
export class MalformedPacketError extends SyncError {
  override readonly name: string = 'MalformedPacketError';
  /**
   * Whether the refused packet announced a file all the same. A transport that sees `true` must
   * still take the file packet off the socket and close what came with it.
   */
  readonly fileFollows: boolean;

  constructor(message: string, fileFollows: boolean, options?: ErrorOptions) {
    super(
      'ERR_SYNC_MALFORMED_PACKET',
      message,
      'Check that the peer speaks the packet dialect of runc 1.2 or newer, and that nothing else writes to this socket.',
      options,
    );
    this.fileFollows = fileFollows;
  }
}

/** Thrown when what arrived on a byte stream is no object of the dialect; the stream is of no more use. */
export class MalformedObjectError extends SyncError {
  override readonly name: string = 'MalformedObjectError';

  constructor(message: string, options?: ErrorOptions) {
    super(
      'ERR_SYNC_MALFORMED_OBJECT',
      message,
      'Check which runc version the peer follows and name its dialect; nothing else may write to this stream.',
      options,
    );
  }
}

/** Thrown when a byte stream ends inside an object, or between procError and its error object. */
export class TruncatedObjectError extends SyncError {
  override readonly name: string = 'TruncatedObjectError';
  /** The bytes of the unfinished object, whitespace before it not counted. */
  readonly pendingBytes: number;

  constructor(message: string, pendingBytes: number) {
    super(
      'ERR_SYNC_TRUNCATED',
      message,
      "The peer died while it wrote. Look at its exit status, at its log, and at its cgroup's oom_kill count.",
    );
    this.pendingBytes = pendingBytes;
  }
}

/** Thrown when one object on a byte stream exceeds the reader's limit; the stream is of no more use. */
export class ObjectTooLargeError extends SyncError {
  override readonly name: string = 'ObjectTooLargeError';
  readonly limitBytes: number;

  constructor(limitBytes: number) {
    super(
      'ERR_SYNC_TOO_LARGE',
      `read an object from a byte stream: it is longer than ${limitBytes} bytes`,
      'Raise maxObjectBytes if the peer may send that much.',
    );
    this.limitBytes = limitBytes;
  }
}

/** Thrown when a message that was to be sent cannot be encoded; nothing has been sent. */
export class InvalidMessageError extends SyncError {
  override readonly name: string = 'InvalidMessageError';

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('ERR_SYNC_INVALID_MESSAGE', message, hint, options);
  }
}

/** Thrown when a packet exceeds the size limit, on the way out or in. */
export class PacketTooLargeError extends SyncError {
  override readonly name: string = 'PacketTooLargeError';
  readonly sizeBytes: number;
  readonly limitBytes: number;

  constructor(action: 'encode' | 'decode', sizeBytes: number, limitBytes: number) {
    super(
      'ERR_SYNC_TOO_LARGE',
      `${action} a sync packet of ${sizeBytes} bytes: the limit is ${limitBytes} bytes`,
      'Shorten the argument; one packet must fit the socket buffer whole.',
    );
    this.sizeBytes = sizeBytes;
    this.limitBytes = limitBytes;
  }
}

/** Thrown when the raw argument of a received message does not have the form its type demands. */
export class MalformedArgError extends SyncError {
  override readonly name: string = 'MalformedArgError';
  readonly type: string;
  /** The member that is wrong, for example `id_mapping.uid_mappings.0.size`; empty for the whole. */
  readonly path: string;
  readonly expected: string;
  readonly received: string;

  constructor(
    details: { type: string; path: string; expected: string; received: string },
    options?: ErrorOptions,
  ) {
    const where = details.path === '' ? '' : ` at ${details.path}`;
    super(
      'ERR_SYNC_MALFORMED_ARG',
      `decode the argument of ${details.type}${where}: expected ${details.expected}, received ${details.received}`,
      'Check which runc version the peer follows; PROTOCOL.md lists the argument of each message.',
      options,
    );
    this.type = details.type;
    this.path = details.path;
    this.expected = details.expected;
    this.received = details.received;
  }
}

/** Thrown when a value given to an argument encoder has no place on the wire. */
export class InvalidArgError extends SyncError {
  override readonly name: string = 'InvalidArgError';
  readonly type: string;

  constructor(type: string, message: string, hint: string, options?: ErrorOptions) {
    super('ERR_SYNC_INVALID_ARG', `encode the argument of ${type}: ${message}`, hint, options);
    this.type = type;
  }
}

/** Thrown when a well-formed message is not the one that was awaited. */
export class UnexpectedTypeError extends SyncError {
  override readonly name: string = 'UnexpectedTypeError';
  readonly expected: readonly string[];
  readonly received: string;

  constructor(expected: readonly string[], received: string) {
    super(
      'ERR_SYNC_UNEXPECTED_TYPE',
      `receive ${list(expected)}: received ${received}`,
      'The two ends disagree about the step they are in; compare both with the dialogue in PROTOCOL.md.',
    );
    this.expected = expected;
    this.received = received;
  }
}

/** Thrown when the channel ended while a message was awaited. */
export class EndOfSyncError extends SyncError {
  override readonly name: string = 'EndOfSyncError';
  readonly expected: readonly string[];

  constructor(expected: readonly string[]) {
    super(
      'ERR_SYNC_EOF',
      `receive ${list(expected)}: the peer closed the channel first`,
      "The peer died or gave up without a word. Look at its exit status, at its log, and at its cgroup's oom_kill count.",
    );
    this.expected = expected;
  }
}

/**
 * Thrown when the child reported, by procError, that its set-up failed.
 * What arrives is the peer's own text: it is wrapped here, never passed off as a local failure.
 */
export class PeerInitError extends SyncError {
  override readonly name: string = 'PeerInitError';
  /** The peer's message in full; empty when it sent none. */
  readonly text: string;
  /** The decoded argument with every extra member; absent when it could not be decoded. */
  declare readonly arg?: InitErrorArg;
  /** The argument as it arrived. */
  readonly rawArg: string;
  /** What this end awaited when the error came. */
  readonly expected: readonly string[];

  constructor(
    message: string,
    details: { text: string; arg?: InitErrorArg; rawArg: string; expected: readonly string[] },
    options?: ErrorOptions,
  ) {
    super(
      'ERR_SYNC_PEER_ERROR',
      message,
      "Read the child's message: the failed step is on its side, not on this one.",
      options,
    );
    this.text = details.text;
    if (details.arg !== undefined) this.arg = details.arg;
    this.rawArg = details.rawArg;
    this.expected = details.expected;
  }
}

/**
 * How a message broke the order.
 * - `foreign`: no step of this dialogue has it, or this end never sends it
 * - `duplicate`: it was exchanged before and may come only once
 * - `missing`: the channel ended where a message was due
 * - `out-of-order`: it belongs to another step
 */
export type HandshakeFault = 'foreign' | 'duplicate' | 'missing' | 'out-of-order';

/** Thrown when a message, or the end of the channel, comes where the dialogue does not allow it. */
export class HandshakeError extends SyncError {
  override readonly name: string = 'HandshakeError';
  readonly fault: HandshakeFault;
  readonly handshake: string;
  /** The step the dialogue was in, as the table names it. */
  readonly step: string;
  /** What the step allows, for example `procRun from parent` or `end of file`. */
  readonly expected: readonly string[];
  readonly received: string;
  /** The end whose message or whose end of file it was. */
  readonly from: SyncEnd;

  constructor(details: {
    fault: HandshakeFault;
    handshake: string;
    step: string;
    expected: readonly string[];
    received: string;
    from: SyncEnd;
  }) {
    super(
      'ERR_SYNC_HANDSHAKE',
      `${details.handshake}, step "${details.step}": expected ${list(details.expected)}, received ${details.received} from ${details.from} (${details.fault})`,
      'Stop this launch: kill the child and reap it. The legal order is drawn in PROTOCOL.md.',
    );
    this.fault = details.fault;
    this.handshake = details.handshake;
    this.step = details.step;
    this.expected = details.expected;
    this.received = details.received;
    this.from = details.from;
  }
}

/** Thrown when the caller's deadline passed, or its signal was aborted, before the dialogue had ended. */
export class HandshakeAbortedError extends SyncError {
  override readonly name: string = 'HandshakeAbortedError';
  readonly handshake: string;
  /** The step the dialogue was in, as the table names it. */
  readonly step: string;
  /** What was awaited in that step. */
  readonly expected: readonly string[];

  /** `options.cause` is the reason of the signal. */
  constructor(
    details: { handshake: string; step: string; expected: readonly string[] },
    options: ErrorOptions,
  ) {
    super(
      'ERR_SYNC_ABORTED',
      `${details.handshake}, step "${details.step}": aborted while ${list(details.expected)} was due`,
      'Kill the child and reap it; a child that stalls here waits for this end or for the kernel.',
      options,
    );
    this.handshake = details.handshake;
    this.step = details.step;
    this.expected = details.expected;
  }
}

/** Thrown when a legal message arrived for which the caller gave no answer. */
export class NoAnswerError extends SyncError {
  override readonly name: string = 'NoAnswerError';
  readonly type: string;

  constructor(type: string) {
    super(
      'ERR_SYNC_NO_ANSWER',
      `answer ${type}: no answer was given for it`,
      `Give answers.${type}, or a config that does not lead to it.`,
    );
    this.type = type;
  }
}

/** Thrown when a file arrived where the dialect has none; the file has been closed. */
export class UnexpectedFileError extends SyncError {
  override readonly name: string = 'UnexpectedFileError';

  constructor(where: string) {
    super(
      'ERR_SYNC_UNEXPECTED_FILE',
      `receive ${where}: a file came that nobody had asked for`,
      'Check which runc version the peer follows; PROTOCOL.md lists what carries a file.',
    );
  }
}

/** Thrown when a bootstrap message cannot be written for a runc release; nothing has been written. */
export class InvalidBootstrapError extends SyncError {
  override readonly name: string = 'InvalidBootstrapError';
  /** The member that is wrong, for example `nsPaths`. */
  readonly member: string;

  constructor(member: string, reason: string, hint: string) {
    super('ERR_SYNC_INVALID_BOOTSTRAP', `encode the bootstrap message, ${member}: ${reason}`, hint);
    this.member = member;
  }
}

/** Thrown when bytes are no bootstrap message of the runc release that was named. */
export class MalformedBootstrapError extends SyncError {
  override readonly name: string = 'MalformedBootstrapError';
  /** Where in the message it broke, in bytes. */
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(
      'ERR_SYNC_MALFORMED_BOOTSTRAP',
      `decode the bootstrap message at byte ${offset}: ${reason}`,
      'Check which runc release wrote it: the numbers of the attributes have changed.',
    );
    this.offset = offset;
  }
}

/** Thrown when a config cannot be written in the layout of a runc release. */
export class InvalidConfigError extends SyncError {
  override readonly name: string = 'InvalidConfigError';
  /** The member that is wrong, for example `config.mounts.0.flags`; empty for the whole. */
  readonly path: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(
      'ERR_SYNC_INVALID_CONFIG',
      `encode the init config${path === '' ? '' : ` at ${path}`}: ${reason}`,
      'Give the members that the layout of this runc release has.',
      options,
    );
    this.path = path;
  }
}

/** Thrown when a text is no config in the layout of the runc release that was named. */
export class MalformedConfigError extends SyncError {
  override readonly name: string = 'MalformedConfigError';
  /** The member that is wrong, for example `config.mounts.0.flags`; empty for the whole. */
  readonly path: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(
      'ERR_SYNC_MALFORMED_CONFIG',
      `decode the init config${path === '' ? '' : ` at ${path}`}: ${reason}`,
      'Check which runc release wrote it.',
      options,
    );
    this.path = path;
  }
}

/** Thrown when a text is no transcript. */
export class MalformedTranscriptError extends SyncError {
  override readonly name: string = 'MalformedTranscriptError';
  /** The line that is wrong, counted from 1. */
  readonly line: number;

  constructor(line: number, reason: string, options?: ErrorOptions) {
    super(
      'ERR_SYNC_MALFORMED_TRANSCRIPT',
      `read a transcript, line ${line}: ${reason}`,
      'Give a file that tapChannel or tapByteStream has written, whole lines only.',
      options,
    );
    this.line = line;
  }
}

/** Thrown when a replayed conversation takes another course than the recorded one. */
export class ReplayError extends SyncError {
  override readonly name: string = 'ReplayError';
  /** What the transcript has at this point. */
  readonly expected: string;
  readonly received: string;

  constructor(expected: string, received: string) {
    super(
      'ERR_SYNC_REPLAY',
      `replay a transcript: expected ${expected}, received ${received}`,
      'The code under test no longer says what it said when the transcript was recorded.',
    );
    this.expected = expected;
    this.received = received;
  }
}

/** Thrown when a channel is used after this end closed it; a pending receive is refused with it too. */
export class ChannelClosedError extends SyncError {
  override readonly name: string = 'ChannelClosedError';

  constructor(action: 'send' | 'receive', options?: ErrorOptions) {
    super(
      'ERR_SYNC_CLOSED',
      `${action} on a sync channel: this end has closed it`,
      'Close the channel only after the last message has been sent and received.',
      options,
    );
  }
}

/** Thrown when a message cannot be delivered because the other end is gone (EPIPE, ECONNRESET). */
export class PeerGoneError extends SyncError {
  override readonly name: string = 'PeerGoneError';
  /** The message that was not delivered. */
  readonly type: string;

  constructor(type: string, options?: ErrorOptions) {
    super(
      'ERR_SYNC_PEER_GONE',
      `send ${type}: the peer has closed the channel`,
      'Go on receiving until end of file: a procError that explains it may already be waiting.',
      options,
    );
    this.type = type;
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(' or ');
}
