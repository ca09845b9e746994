/**
 * Sizes of control messages on 64-bit Linux (cmsg(3)): a header of 16 bytes (length 8, level 4, type 4), then data;
 * each message starts at a multiple of 8. The same bytes are right for musl, whose length field is 4 bytes and padding.
 */
export const CMSG_HEADER_BYTES = 16;

/** `CMSG_ALIGN`: the next multiple of 8. */
export function cmsgAlign(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** `CMSG_LEN`: header and data, without padding behind. What the length field says. */
export function cmsgLen(dataBytes: number): number {
  return CMSG_HEADER_BYTES + dataBytes;
}

/** `CMSG_SPACE`: header, data and padding. What one message takes in the buffer. */
export function cmsgSpace(dataBytes: number): number {
  return CMSG_HEADER_BYTES + cmsgAlign(dataBytes);
}
