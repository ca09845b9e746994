import { closeAll } from './close-all.ts';
import { FileNameTooLongError, UnexpectedFdsError } from './errors.ts';
import { cString } from './libc/c-string.ts';
import type { OwnedFd } from './owned-fd.ts';

/*
 * One descriptor and its name, as runc sends it (libcontainer/utils/cmsg.go, 1.2.0): the payload is the name's bytes,
 * without a NUL; a name of "" is one NUL byte, because a message must have at least one byte.
 */

/** Names have fewer bytes than this. */
export const MAX_FILE_NAME_BYTES = 4096;

/** A descriptor that was passed, and the name that came with it. */
export interface ReceivedFile {
  /** UTF-8 text of `nameBytes`. */
  name: string;
  /** The name exactly as sent, for comparing byte for byte. */
  nameBytes: Uint8Array;
  /** Close-on-exec; whoever receives it closes it. */
  fd: OwnedFd;
}

/** The payload for a name. Throws FileNameTooLongError, InvalidStringError. */
export function encodeFileName(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(cString(name, 'file name'));
  if (bytes.length >= MAX_FILE_NAME_BYTES) {
    throw new FileNameTooLongError('send', bytes.length, MAX_FILE_NAME_BYTES);
  }
  return bytes.length === 0 ? new Uint8Array(1) : bytes;
}

/**
 * The file in a received payload. One closing NUL is taken off, as runc 1.0.0-rc3 and older appended it.
 *
 * Unless exactly one descriptor came, and on any other failure, all of `fds` are closed.
 * Throws UnexpectedFdsError, FileNameTooLongError.
 */
export function decodeFile(payload: Uint8Array, fds: readonly OwnedFd[]): ReceivedFile {
  const [fd] = fds;
  let failure: Error | undefined;
  if (fd === undefined || fds.length !== 1)
    failure = new UnexpectedFdsError('a file', 1, fds.length);
  else if (payload.length >= MAX_FILE_NAME_BYTES) {
    failure = new FileNameTooLongError('receive', payload.length, MAX_FILE_NAME_BYTES);
  } else {
    const nameBytes = payload.at(-1) === 0 ? payload.slice(0, -1) : payload.slice();
    return { name: new TextDecoder().decode(nameBytes), nameBytes, fd };
  }
  closeAll(fds);
  throw failure;
}
