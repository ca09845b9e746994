import { decodeInitError } from '../args/init-error.ts';
import { InvalidMessageError, isSyncError, JsonError, MalformedObjectError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { foldKey } from '../json/fold-key.ts';
import type { JsonValue } from '../json/json-value.ts';
import { rawMembers, type RawMember } from '../json/raw-members.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { DialectCommon, StreamDialect } from './dialect.ts';
import { decodeGenericError, encodeGenericError, genericErrorOf } from './generic-error.ts';
import type { StreamMessage, StreamType } from './stream-message.ts';

/** What sets one of runc's stream dialects apart from the others. */
export type RuncStreamSpec<
  Type extends StreamType,
  Name extends string,
  Init extends string,
> = Pick<
  DialectCommon<StreamMessage<Type>, Name, Init>,
  'name' | 'id' | 'spokenBy' | 'types' | 'handshakes'
> & {
  /** Whether each object has an `fd` member, -1 where it means nothing. */
  readonly fdMember: boolean;
  /** The object that tells of a failure: `{"Timestamp":…}` or `{"message":…}`. */
  readonly errorObject: 'generic' | 'init';
  /** Whether procError is ever written. Before 0.0.7 the error object stands alone, with a newline. */
  readonly announcesErrors: boolean;
};

/**
 * One of runc's dialects over a byte stream.
 *
 * The reader follows Go's decoder: members in any order, keys in any letter case, the last of
 * repeated keys counting, unknown members ignored, null as if absent. It is stricter in these
 * points: an object without a type is no message (in the oldest dialects Go took it for procReady),
 * unless it is an error object; procSeccomp must have its descriptor's number.
 */
export function runcStreamDialect<
  Type extends StreamType,
  Name extends string,
  Init extends string,
>(spec: RuncStreamSpec<Type, Name, Init>): StreamDialect<StreamMessage<Type>, Name, Init> {
  const { name, id, spokenBy, types, handshakes } = spec;
  return Object.freeze({
    framing: 'stream' as const,
    name,
    id,
    spokenBy,
    types,
    handshakes,
    encode: (message: StreamMessage<Type>) => encode(spec, message),
    decode: (object: string) => decode(spec, object),
    payloadFollows: ({ type, arg }: StreamMessage<Type>) =>
      type === 'procError' && arg === undefined,
    withPayload: (message: StreamMessage<Type>, object: string) => {
      requireErrorObject(spec, object);
      return { ...message, arg: object };
    },
    message: (type: Type, arg?: JsonValue) => messageOf(type, arg),
    failure: (text: string) => failureOf(spec, text),
  });
}

type Spec<Type extends StreamType> = RuncStreamSpec<Type, string, string>;

function encode<Type extends StreamType>(
  spec: Spec<Type>,
  message: StreamMessage<Type>,
): readonly Uint8Array[] {
  const { type } = message;
  if (!Object.hasOwn(spec.types, type)) {
    throw new InvalidMessageError(
      `encode a message of ${spec.name}: unknown type ${excerpt(type)}`,
      `Use one of ${Object.keys(spec.types).join(', ')}.`,
    );
  }
  requireMembers(message);
  if (type !== 'procError') return [utf8(announcement(spec, message))];
  const arg = message.arg as string;
  if (!spec.announcesErrors) return [utf8(`${arg}\n`)];
  if (message.unannounced === true) return [utf8(arg)];
  return [utf8(announcement(spec, message)), utf8(arg)];
}

function announcement<Type extends StreamType>(
  spec: Spec<Type>,
  { type, fd }: StreamMessage<Type>,
): string {
  const coded = spec.types[type].code ?? `"${type}"`;
  return spec.fdMember ? `{"type":${coded},"fd":${fd ?? -1}}` : `{"type":${coded}}`;
}

function requireMembers<Type extends StreamType>({
  type,
  fd,
  arg,
  unannounced,
}: StreamMessage<Type>): void {
  if ((fd !== undefined) !== (type === 'procSeccomp')) {
    throw new InvalidMessageError(
      `encode ${type}: ${fd === undefined ? 'it lacks the number of its descriptor' : 'it has no descriptor'}`,
      'Give fd to procSeccomp and to nothing else.',
    );
  }
  if (fd !== undefined && (!Number.isInteger(fd) || fd < 0 || fd > maxFd)) {
    throw new InvalidMessageError(
      `encode ${type}: ${fd} is not a descriptor number`,
      `Give an integer from 0 to ${maxFd}.`,
    );
  }
  if ((arg !== undefined) !== (type === 'procError')) {
    throw new InvalidMessageError(
      `encode ${type}: ${arg === undefined ? 'it lacks its error object' : 'it has no error object'}`,
      'Make procError with the failure function of its dialect.',
    );
  }
  if (unannounced === true && type !== 'procError') {
    throw new InvalidMessageError(
      `encode ${type}: only an error object can go without its type`,
      'Leave unannounced out.',
    );
  }
  if (arg === undefined) return;
  try {
    rawMembers(arg);
  } catch (cause) {
    throw new InvalidMessageError(
      `encode ${type}: its error object is not one JSON object: ${excerpt(arg)}`,
      'Make procError with the failure function of its dialect.',
      { cause },
    );
  }
  if (!arg.isWellFormed()) {
    throw new InvalidMessageError(
      `encode ${type}: its error object holds a lone surrogate, which has no UTF-8 form`,
      'Make procError with the failure function of its dialect.',
    );
  }
}

function decode<Type extends StreamType>(spec: Spec<Type>, object: string): StreamMessage<Type> {
  const fields = readFields(spec, object);
  if (fields.type === undefined) {
    if (!fields.hasMessage) throw malformed(spec, `it has no type: ${excerpt(object)}`);
    requireErrorObject(spec, object);
    return { type: 'procError' as Type, arg: object.trim(), unannounced: true };
  }
  const type = typeNamed(spec, fields.type);
  if (type !== 'procSeccomp') return { type };
  if (fields.fd === undefined || fields.fd < 0 || fields.fd > maxFd) {
    throw malformed(spec, `procSeccomp without the number of its descriptor: ${excerpt(object)}`);
  }
  return { type, fd: fields.fd };
}

type Fields = { type?: string; fd?: number; hasMessage: boolean };

function readFields<Type extends StreamType>(spec: Spec<Type>, object: string): Fields {
  const fields: Fields = { hasMessage: false };
  for (const { key, raw } of membersOf(spec, object)) {
    // Go's decoder leaves a member alone when null comes for it.
    if (raw === 'null') continue;
    switch (foldKey(key)) {
      case 'type':
        // Before there were types, a member of this name meant as little as any other.
        if (spec.announcesErrors) fields.type = raw;
        break;
      case 'fd':
        if (spec.fdMember) fields.fd = readInteger(spec, raw);
        break;
      case 'message':
        fields.hasMessage = true;
        break;
      default:
    }
  }
  return fields;
}

function membersOf<Type extends StreamType>(spec: Spec<Type>, object: string): RawMember[] {
  try {
    return rawMembers(object);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw malformed(spec, `it is not one JSON object: ${excerpt(object)}`, cause);
  }
}

function readInteger<Type extends StreamType>(spec: Spec<Type>, raw: string): number {
  if (/^-?\d+$/.test(raw)) return Number(raw) || 0;
  throw malformed(spec, `fd is not an integer: ${excerpt(raw)}`);
}

function typeNamed<Type extends StreamType>(spec: Spec<Type>, raw: string): Type {
  const types = Object.keys(spec.types) as Type[];
  if (types.some((type) => spec.types[type].code !== undefined)) {
    const found = types.find((type) => String(spec.types[type].code) === raw);
    if (found === undefined)
      throw malformed(spec, `its type is none of its numbers: ${excerpt(raw)}`);
    return found;
  }
  if (!raw.startsWith('"')) throw malformed(spec, `its type is not a string: ${excerpt(raw)}`);
  const name = JSON.parse(raw) as string;
  const found = types.find((type) => type === name);
  if (found === undefined) throw malformed(spec, `unknown type ${excerpt(name)}`);
  return found;
}

function messageOf<Type extends StreamType>(
  type: Type,
  arg: JsonValue | undefined,
): StreamMessage<Type> {
  let message: StreamMessage<Type>;
  if (arg === undefined) message = { type };
  else if (type === 'procSeccomp') message = { type, fd: Number(arg) };
  else message = { type, arg: stringifyExactJson(arg) };
  requireMembers(message);
  return message;
}

function failureOf<Type extends StreamType>(spec: Spec<Type>, text: string): StreamMessage<Type> {
  const arg =
    spec.errorObject === 'generic'
      ? encodeGenericError(genericErrorOf(text))
      : stringifyExactJson(text === '' ? {} : { message: text });
  const message = { type: 'procError' as Type, arg };
  return spec.announcesErrors ? message : { ...message, unannounced: true };
}

function requireErrorObject<Type extends StreamType>(spec: Spec<Type>, object: string): void {
  try {
    if (spec.errorObject === 'generic') decodeGenericError(object);
    else decodeInitError(object);
  } catch (cause) {
    if (!isSyncError(cause)) throw cause;
    throw malformed(spec, `its error object cannot be read: ${excerpt(object)}`, cause);
  }
}

const maxFd = 0x7fff_ffff;

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function malformed<Type extends StreamType>(
  { name }: Spec<Type>,
  reason: string,
  cause?: unknown,
): MalformedObjectError {
  return new MalformedObjectError(
    `decode a message of ${name}: ${reason}`,
    cause === undefined ? undefined : { cause },
  );
}
