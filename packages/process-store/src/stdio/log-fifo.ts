import { constants } from 'node:fs';
import { join } from 'node:path/posix';
import {
  isSyscallError,
  mkfifo,
  openFd,
  type OwnedFd,
  setNonblocking,
} from '@pilotlight/scm-rights';
import { StdioError } from '../errors.ts';
import { isKind } from './file-kind.ts';

/** The streams that a log has, and the names of their fifos. */
export type LogStreamName = 'stdout' | 'stderr';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/**
 * Makes the fifo of one stream in a record's folder, mode 0600, and opens the end that the process gets.
 *
 * It is opened for reading too: so the process may write while nobody pumps, up to what a pipe holds, and no death of the
 * pump is a SIGPIPE for it. The pump still sees the end of file when the process and its heirs have gone, if the caller
 * closes its own copy once the process has one. `directory` may be a path through /proc/self/fd. A fifo that is there
 * already is used. Throws StdioError if something else has the name, SyscallError.
 */
export function openLogFifo(directory: string, stream: LogStreamName): OwnedFd {
  const path = join(directory, stream);
  try {
    mkfifo(path, 0o600);
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
  return openChecked(path, O_RDWR);
}

/**
 * Opens the end of a log's fifo that a pump reads, without blocking; the caller closes it. Before the process can write, or
 * what it wrote and left behind is gone with it. Throws StdioError if it is no fifo, SyscallError: ENOENT if it is not there.
 */
export function openLogFifoToPump(directory: string, stream: LogStreamName): OwnedFd {
  return openChecked(join(directory, stream), O_RDONLY);
}

function openChecked(path: string, access: number): OwnedFd {
  // Neither waits, whatever is there, nor acts upon a device; a link there is none of ours.
  const opened = openFd(path, access | O_NONBLOCK | O_NOFOLLOW);
  try {
    if (isKind(opened, 'fifo')) {
      if (access === O_RDWR) setNonblocking(opened, false);
      return opened;
    }
    throw new StdioError(path, 'it is not a fifo', {
      hint: 'The record has something else under the name of its log fifo; remove the record and launch again.',
    });
  } catch (error) {
    opened.close();
    throw error;
  }
}
