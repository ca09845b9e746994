import {
  InvalidMessageError,
  JsonError,
  MalformedPacketError,
  PacketTooLargeError,
} from './errors.ts';
import { excerpt } from './excerpt.ts';
import { foldKey } from './json/fold-key.ts';
import { rawMembers, type RawMember } from './json/raw-members.ts';
import { endOfValue } from './json/scan.ts';
import { hasFileFlag, maxFlags, syncFlags } from './sync-flags.ts';
import type { SyncMessage } from './sync-message.ts';
import { isSyncType, syncTypes, type SyncType } from './sync-type.ts';

/**
 * The largest packet either end may send, 212960 bytes: what Linux passes whole through a
 * SOCK_SEQPACKET pair with the default send buffer of 212992 bytes; a longer one is EMSGSIZE.
 */
export const maxPacketBytes = 212_960;

/**
 * The bytes of one packet, equal to what runc 1.2.0-rc.1 and newer write: one compact JSON object
 * with `type`, `flags` and, when there is one, `arg` as the given text, unchanged.
 *
 * The flags must already agree with whether a file follows (see `agreeFileFlag`).
 * Throws InvalidMessageError for an unknown type, for flags out of range, for an argument that is
 * not exactly one JSON value other than null, and for an argument or file bit that the type forbids
 * or lacks; throws PacketTooLargeError above {@link maxPacketBytes}.
 */
export function encodePacket(message: SyncMessage): Uint8Array {
  requireValidMessage(message);
  const arg = message.arg === undefined ? '' : `,"arg":${message.arg}`;
  const text = `{"type":"${message.type}","flags":${message.flags}${arg}}`;
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength > maxPacketBytes) {
    throw new PacketTooLargeError('encode', bytes.byteLength, maxPacketBytes);
  }
  return bytes;
}

/**
 * The message in the bytes of one packet, read as Go reads it: members in any order, keys in any
 * letter case, the last of repeated keys counting, unknown members ignored, null as if absent,
 * `flags` 0 when missing. `arg` is the member's text as it stood in the packet.
 *
 * An object without `type` but with a `message` or `Message` is an error that was not announced
 * (older children send such): it is returned as procError with the whole object as `arg`.
 *
 * Throws MalformedPacketError for everything else that is not one message of the dialect, an
 * argument or file bit against the type's rule included, and PacketTooLargeError above
 * {@link maxPacketBytes}. A packet of zero length is refused: on the wire it is end of file.
 */
export function decodePacket(bytes: Uint8Array): SyncMessage {
  if (bytes.byteLength > maxPacketBytes) {
    throw new PacketTooLargeError('decode', bytes.byteLength, maxPacketBytes);
  }
  if (bytes.byteLength === 0) throw malformed('it is empty, which on the wire means end of file');
  const text = decodeText(bytes);
  const fields = readFields(text);
  if (fields.type === undefined) {
    if (fields.hasMessage) return { type: 'procError', flags: 0, arg: text.trim() };
    throw malformed(`it has no type: ${excerpt(text)}`, fields.flags);
  }
  if (!isSyncType(fields.type)) {
    throw malformed(`unknown type ${excerpt(fields.type)}`, fields.flags);
  }
  const message: SyncMessage =
    fields.arg === undefined
      ? { type: fields.type, flags: fields.flags }
      : { type: fields.type, flags: fields.flags, arg: fields.arg };
  const conflict = conflictWithRule(message);
  if (conflict !== undefined) throw malformed(conflict, fields.flags);
  return message;
}

function requireValidMessage(message: SyncMessage): void {
  const type: unknown = message.type;
  if (!isSyncType(type)) {
    throw new InvalidMessageError(
      `encode a sync packet: unknown type ${excerpt(String(type))}`,
      `Use one of ${Object.keys(syncTypes).join(', ')}.`,
    );
  }
  if (!Number.isInteger(message.flags) || message.flags < 0 || message.flags > maxFlags) {
    throw new InvalidMessageError(
      `encode ${type}: flags ${message.flags} are not an integer from 0 to ${maxFlags}`,
      'Use 0; a channel sets the file bit itself.',
    );
  }
  if (message.arg !== undefined) requireArgText(type, message.arg);
  const conflict = conflictWithRule(message);
  if (conflict !== undefined) {
    throw new InvalidMessageError(
      `encode ${type}: ${conflict}`,
      'PROTOCOL.md lists which messages carry an argument or a file.',
    );
  }
}

function requireArgText(type: SyncType, arg: unknown): void {
  const hint = 'Encode the argument with its own encoder, or with stringifyExactJson.';
  if (typeof arg !== 'string') {
    throw new InvalidMessageError(`encode ${type}: the argument is not JSON text`, hint);
  }
  let end: number;
  try {
    end = endOfValue(arg, 0);
  } catch (cause) {
    throw new InvalidMessageError(
      `encode ${type}: the argument is not JSON: ${excerpt(arg)}`,
      hint,
      {
        cause,
      },
    );
  }
  if (end !== arg.length) {
    throw new InvalidMessageError(
      `encode ${type}: the argument is more than one JSON value: ${excerpt(arg)}`,
      hint,
    );
  }
  if (arg === 'null') {
    throw new InvalidMessageError(
      `encode ${type}: the argument is null, which the peer reads as absent`,
      'Leave the argument out.',
    );
  }
  if (!arg.isWellFormed()) {
    throw new InvalidMessageError(
      `encode ${type}: the argument holds a lone surrogate, which has no UTF-8 form`,
      hint,
    );
  }
}

function conflictWithRule({ type, flags, arg }: SyncMessage): string | undefined {
  const rule = syncTypes[type];
  if (arg === undefined && rule.arg === 'mandatory') return `${type} without its argument`;
  if (arg !== undefined && rule.arg === 'forbidden') {
    return `${type} carries no argument, but has ${excerpt(arg)}`;
  }
  if (!hasFileFlag(flags) && rule.file === 'mandatory') return `${type} without its file`;
  if (hasFileFlag(flags) && rule.file === 'forbidden') {
    return `${type} carries no file, but announces one`;
  }
  return undefined;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw malformed('it is not UTF-8', 0, cause);
  }
}

type Fields = { type?: string; flags: number; arg?: string; hasMessage: boolean };

function readFields(text: string): Fields {
  let members: RawMember[];
  try {
    members = rawMembers(text);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw malformed(`it is not one JSON object: ${excerpt(text)}`, 0, cause);
  }
  const fields: Fields = { flags: 0, hasMessage: false };
  // Flags first: whether a file follows must be known when another field turns out to be wrong.
  for (const { key, raw } of members) {
    if (foldKey(key) === 'flags' && raw !== 'null') fields.flags = readFlags(raw);
  }
  for (const { key, raw } of members) {
    switch (foldKey(key)) {
      case 'type':
        // Go's decoder leaves a string alone when null comes for it.
        if (raw !== 'null') fields.type = readType(raw, fields.flags);
        break;
      case 'arg':
        if (raw === 'null') delete fields.arg;
        else fields.arg = raw;
        break;
      case 'message':
        fields.hasMessage = true;
        break;
      default:
    }
  }
  return fields;
}

function readType(raw: string, flags: number): string {
  if (!raw.startsWith('"')) throw malformed(`type is not a string: ${excerpt(raw)}`, flags);
  return JSON.parse(raw) as string;
}

function readFlags(raw: string): number {
  const flags = /^-?\d+$/.test(raw) ? Number(raw) : Number.NaN;
  // `|| 0` also turns the minus zero of "-0" into zero.
  if (flags >= 0 && flags <= maxFlags) return flags || 0;
  throw malformed(`flags are not an integer from 0 to ${maxFlags}: ${excerpt(raw)}`);
}

function malformed(reason: string, flags = 0, cause?: unknown): MalformedPacketError {
  return new MalformedPacketError(
    `decode a sync packet: ${reason}`,
    (flags & syncFlags.file) !== 0,
    cause === undefined ? undefined : { cause },
  );
}
