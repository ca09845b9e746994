import type { SyncMessage } from './sync-message.ts';

/**
 * The bits of a message's `flags`.
 *
 * `file` (bit 0): a second packet with one descriptor follows this one immediately.
 * Bits without a name are tolerated from a peer and mean nothing.
 * Source: libcontainer/sync.go, runc 1.2.0-rc.1.
 */
export const syncFlags: { readonly file: 1 } = Object.freeze({ file: 1 });

/** The largest `flags` value either end may use: 31 bits, so that bit arithmetic stays exact. */
export const maxFlags = 0x7fff_ffff;

/** Whether the flags announce a file packet. */
export function hasFileFlag(flags: number): boolean {
  return (flags & syncFlags.file) !== 0;
}

/**
 * The same message with the file bit made to agree with whether a file goes with it.
 * A channel calls this before it encodes, so that a caller cannot announce a file that never comes.
 */
export function agreeFileFlag(message: SyncMessage, fileFollows: boolean): SyncMessage {
  const flags = fileFollows ? message.flags | syncFlags.file : message.flags & ~syncFlags.file;
  return flags === message.flags ? message : { ...message, flags };
}
