import { InvalidStringError, SocketAddressError } from '../errors.ts';
import { cString } from '../libc/c-string.ts';
import { AF_UNIX } from '../libc/constants.ts';
import { SOCKADDR_UN_BYTES } from '../libc/getsockname.ts';

/**
 * Where a unix(7) socket can be reached: a path, or a name in the abstract namespace, written with a leading `@` (as
 * systemd, D-Bus and ss(8) do) or NUL. A path that begins with `@` is written `./@…`.
 */
export type UnixAddress = string;

/** Most bytes of a path; an abstract name has as many after its `@`. */
export const MAX_ADDRESS_BYTES = 107;

const FAMILY_BYTES = 2;

/** Whether the address is a name in the abstract namespace, which no file stands for. */
export function isAbstract(address: UnixAddress): boolean {
  return address.startsWith('@') || address.startsWith('\0');
}

/**
 * The bytes of `struct sockaddr_un` for an address.
 *
 * Throws SocketAddressError (empty, or longer than {@link MAX_ADDRESS_BYTES}), InvalidStringError.
 */
export function encodeUnixAddress(address: UnixAddress): Uint8Array {
  const abstract = isAbstract(address);
  const text = abstract ? address.slice(1) : cString(address, 'socket path');
  if (!text.isWellFormed()) {
    throw new InvalidStringError('socket name', text, 'is not well-formed UTF-16');
  }
  const name = new TextEncoder().encode(text);
  if (name.length === 0 || name.length > MAX_ADDRESS_BYTES) {
    throw new SocketAddressError(address, name.length, MAX_ADDRESS_BYTES);
  }
  // One byte more than the name: a path ends with NUL, an abstract name begins with it and has its exact length.
  const bytes = new Uint8Array(FAMILY_BYTES + 1 + name.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, abstract ? FAMILY_BYTES + 1 : FAMILY_BYTES);
  return bytes;
}

/**
 * The address in a `struct sockaddr_un`, an abstract one with `@`; undefined if the socket has none.
 *
 * Bytes that are no UTF-8 become U+FFFD.
 */
export function decodeUnixAddress(sockaddr: Uint8Array): UnixAddress | undefined {
  const name = sockaddr.subarray(FAMILY_BYTES, SOCKADDR_UN_BYTES);
  if (name.length === 0) return undefined;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  if (name[0] === 0) return name.length === 1 ? undefined : `@${decoder.decode(name.subarray(1))}`;
  const end = name.indexOf(0);
  return decoder.decode(end < 0 ? name : name.subarray(0, end));
}
