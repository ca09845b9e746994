import { DbusFormatError, type DbusValue, type DbusVariant } from './dbus-type.ts';
import { Marshaller } from './marshal.ts';
import { Unmarshaller } from './unmarshal.ts';

/** D-Bus specification, "Message Format". */
export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

/** One message; a field that is missing is `undefined`. */
export type DbusMessage = {
  type: number;
  serial: number;
  path?: string | undefined;
  interface?: string | undefined;
  member?: string | undefined;
  errorName?: string | undefined;
  replySerial?: number | undefined;
  destination?: string | undefined;
  sender?: string | undefined;
  signature?: string | undefined;
  body: readonly DbusValue[];
};

const fields: readonly (readonly [code: number, name: keyof DbusMessage, type: string])[] = [
  [1, 'path', 'o'],
  [2, 'interface', 's'],
  [3, 'member', 's'],
  [4, 'errorName', 's'],
  [5, 'replySerial', 'u'],
  [6, 'destination', 's'],
  [7, 'sender', 's'],
  [8, 'signature', 'g'],
];

const LITTLE_ENDIAN = 'l'.charCodeAt(0);
const BIG_ENDIAN = 'B'.charCodeAt(0);
const VERSION = 1;
/** Up to and with the length of the header fields. */
const FIXED_BYTES = 16;
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;

export function encodeMessage(message: DbusMessage): Buffer {
  const { type, serial, signature = '', body } = message;
  const bodyBytes = new Marshaller().write(signature, body).bytes;
  const present = fields.flatMap(([code, name, fieldType]): DbusValue[] => {
    const value = message[name] as string | number | undefined;
    if (value === undefined || value === '') return [];
    return [[code, { signature: fieldType, value }]];
  });
  const header = new Marshaller()
    .write('yyyyuua(yv)', [LITTLE_ENDIAN, type, 0, VERSION, bodyBytes.length, serial, present])
    .pad(8).bytes;
  return Buffer.concat([header, bodyBytes]);
}

/**
 * The first message in `bytes`, and how many of them it takes; `undefined` while it is not complete.
 *
 * @throws DbusFormatError when it will never be one
 */
export function decodeMessage(bytes: Buffer): { message: DbusMessage; size: number } | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const [order, type, , version] = bytes;
  if ((order !== LITTLE_ENDIAN && order !== BIG_ENDIAN) || version !== VERSION) {
    throw new DbusFormatError('this is no D-Bus message');
  }
  const isLittleEndian = order === LITTLE_ENDIAN;
  const uint32 = (at: number): number =>
    isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  const headerSize = Math.ceil((FIXED_BYTES + uint32(12)) / 8) * 8;
  const size = headerSize + uint32(4);
  if (size > MAX_MESSAGE_BYTES) throw new DbusFormatError('a D-Bus message is too long');
  if (bytes.length < size) return undefined;

  const header = new Unmarshaller(bytes.subarray(0, headerSize), isLittleEndian);
  const [, , , , , serial, present] = header.read('yyyyuua(yv)');
  const message: DbusMessage = { type: type!, serial: serial as number, body: [] };
  for (const [code, variant] of present as [number, DbusVariant][]) {
    const field = fields.find(([known]) => known === code);
    // Later versions of D-Bus may have more fields.
    if (field === undefined) continue;
    const [, name, fieldType] = field;
    if (variant.signature !== fieldType) {
      throw new DbusFormatError(`the D-Bus header field ${name} has the type ${variant.signature}`);
    }
    Object.assign(message, { [name]: variant.value });
  }
  const body = new Unmarshaller(bytes.subarray(headerSize, size), isLittleEndian);
  message.body = body.read(message.signature ?? '');
  if (body.position !== size - headerSize) {
    throw new DbusFormatError('a D-Bus message is longer than its signature');
  }
  return { message, size };
}
