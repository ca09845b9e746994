// The form of netlink messages, netlink(7): a header, a family header, attributes; all in the
// byte order of the machine, which is little-endian wherever this package runs.

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** Type of an attribute without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;

const align = (length: number): number => (length + 3) & ~3;

export type NetlinkAttribute = readonly [type: number, value: Uint8Array];
export type NetlinkMessage = {
  type: number;
  flags: number;
  sequence: number;
  /** Family header and attributes. */
  payload: Buffer;
};

/** One message; `family` is the header that its type prescribes, a multiple of 4 bytes. */
export function encodeMessage(
  { type, flags, sequence }: Omit<NetlinkMessage, 'payload'>,
  family: Uint8Array,
  attributes: readonly NetlinkAttribute[] = [],
): Buffer {
  const parts: Uint8Array[] = [family];
  for (const [attribute, value] of attributes) {
    const length = ATTRIBUTE_HEADER_BYTES + value.length;
    const encoded = Buffer.alloc(align(length));
    encoded.writeUInt16LE(length, 0);
    encoded.writeUInt16LE(attribute, 2);
    encoded.set(value, ATTRIBUTE_HEADER_BYTES);
    parts.push(encoded);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  const message = Buffer.concat([header, ...parts]);
  message.writeUInt32LE(message.length, 0);
  return message;
}

/** The messages of one datagram. @throws Error when its lengths contradict each other */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: NetlinkMessage[] = [];
  for (let start = 0; start < bytes.length;) {
    const rest = bytes.length - start;
    const length = rest < HEADER_BYTES ? 0 : bytes.readUInt32LE(start);
    if (length < HEADER_BYTES || length > rest) throw new Error('a netlink message is cut short');
    messages.push({
      type: bytes.readUInt16LE(start + 4),
      flags: bytes.readUInt16LE(start + 6),
      sequence: bytes.readUInt32LE(start + 8),
      payload: bytes.subarray(start + HEADER_BYTES, start + length),
    });
    start += align(length);
  }
  return messages;
}

/** Attributes by type; of repeated ones the last. @throws Error when their lengths contradict each other */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let start = 0; start < bytes.length;) {
    const rest = bytes.length - start;
    const length = rest < ATTRIBUTE_HEADER_BYTES ? 0 : bytes.readUInt16LE(start);
    if (length < ATTRIBUTE_HEADER_BYTES || length > rest) {
      throw new Error('a netlink attribute is cut short');
    }
    attributes.set(
      bytes.readUInt16LE(start + 2) & ATTRIBUTE_TYPE_MASK,
      bytes.subarray(start + ATTRIBUTE_HEADER_BYTES, start + length),
    );
    start += align(length);
  }
  return attributes;
}

// linux/netlink.h, enum nlmsgerr_attrs
const NLMSGERR_ATTR_MSG = 1;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** What NLMSG_ERROR says: `errno` is positive, and 0 for a success; `text` is the kernel's own remark. */
export function decodeAck({ payload, flags }: NetlinkMessage): {
  errno: number;
  text: string | undefined;
} {
  if (payload.length < 4 + HEADER_BYTES) throw new Error('a netlink answer is cut short');
  const errno = 0 - payload.readInt32LE(0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: undefined };
  const request = (flags & NLM_F_CAPPED) === 0 ? payload.readUInt32LE(4) : HEADER_BYTES;
  const text = decodeAttributes(payload.subarray(4 + align(request))).get(NLMSGERR_ATTR_MSG);
  return { errno, text: text?.toString('utf8').replace(/\0.*$/s, '') };
}

export const uint32Value = (number: number): Buffer => {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(number);
  return value;
};

export const textValue = (text: string): Buffer => Buffer.from(`${text}\0`);
