import { constants, fstatSync } from 'node:fs';
import { openFd, type OwnedFd, setNonblocking } from '@pilotlight/scm-rights';
import { NULL_DEVICE } from './process-json.ts';

const { O_APPEND, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

// Each end of a fifo is opened by itself: an end opened for both hides the end of file from its own reader. Whoever opens a
// writer opens a reader before it, so that no open blocks and none fails for want of the other side.

/** Standard input of a program from a fifo of the client. */
export interface OpenStdin {
  /** Blocking, for the program, or not, for a copier. */
  reader: OwnedFd;
  /** Keeps the input open while clients come and go. To close standard input is to close this; undefined for no fifo. */
  writer: OwnedFd | undefined;
}

/**
 * Opens the standard input of a program, or of its terminal's copier; undefined for /dev/null. The caller closes both ends.
 *
 * Throws SyscallError: ENOENT for a fifo that the client did not make.
 */
export function openStdin(path: string, use: 'program' | 'copier'): OpenStdin | undefined {
  if (path === NULL_DEVICE) return undefined;
  const reader = openFd(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!isFifo(reader)) return { reader, writer: undefined };
  let writer: OwnedFd;
  try {
    writer = openFd(path, O_WRONLY | O_NONBLOCK);
  } catch (error) {
    reader.close();
    throw error;
  }
  // A program expects to wait for its input.
  if (use === 'program') setNonblocking(reader, false);
  return { reader, writer };
}

/** A writer to keep standard input open again; undefined if the program has closed its end, or it is no fifo. */
export function reopenStdinWriter(path: string): OwnedFd | undefined {
  if (path === NULL_DEVICE) return undefined;
  try {
    const writer = openFd(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    if (isFifo(writer)) return writer;
    writer.close();
  } catch {
    // ENXIO: nobody reads. ENOENT: the client has removed it. Neither can be kept open.
  }
  return undefined;
}

/**
 * Opens an output for a program, which alone holds it then; undefined for /dev/null. The caller closes it once it is started.
 *
 * A fifo is opened for both: the program is not stopped by SIGPIPE when its reader leaves. The reader sees the end of file
 * when the program, and what it started, have closed it. Throws SyscallError.
 */
export function openProgramOutput(path: string): OwnedFd | undefined {
  if (path === NULL_DEVICE) return undefined;
  // The open does not block, whatever it is; the program's writes may.
  const output = openFd(path, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY);
  setNonblocking(output, false);
  return output;
}

/** Where a copier writes; `reader` keeps a fifo usable when no client reads. */
export interface OpenOutput {
  writer: OwnedFd;
  reader: OwnedFd | undefined;
}

/** Opens an output for the copier of a terminal; undefined for /dev/null. The caller closes both ends. Throws SyscallError. */
export function openCopierOutput(path: string): OpenOutput | undefined {
  if (path === NULL_DEVICE) return undefined;
  const reader = openFd(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const writer = openFd(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
    if (isFifo(reader)) return { writer, reader };
    reader.close();
    return { writer, reader: undefined };
  } catch (error) {
    reader.close();
    throw error;
  }
}

function isFifo(fd: OwnedFd): boolean {
  return fstatSync(fd.fd).isFIFO();
}
