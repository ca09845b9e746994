import { constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  fifoWriters,
  isSyscallError,
  openFd,
  type OwnedFd,
  setNonblocking,
} from '@pilotlight/scm-rights';
import { FifoTimeoutError, messageOf, StdioError } from '../errors.ts';
import { fileKind, isKind } from './file-kind.ts';

export interface OpenFifoOptions {
  /** How long the other side may take to come, in milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const RETRY_MS = 10;

/**
 * Opens one side of a fifo for a process, close-on-exec and blocking: `input` once it has a writer, `output` once it has a
 * reader, as open(2) would, but with a time limit and without a thread that waits in the kernel. The caller closes it.
 *
 * It has that one side only, so that the process sees the end of file or SIGPIPE when the last on the other side has gone.
 * Throws StdioError if it is not there or no fifo, FifoTimeoutError, SyscallError, the signal's reason; nothing is open then.
 */
export async function openFifo(
  path: string,
  side: 'input' | 'output',
  { timeoutMs, signal }: OpenFifoOptions,
): Promise<OwnedFd> {
  await requireFifo(path);
  const end = performance.now() + timeoutMs;
  const attempt = side === 'input' ? waitForWriter : waitForReader;
  const fifo = await attempt(path, async () => {
    if (performance.now() >= end) {
      throw new FifoTimeoutError(path, side === 'input' ? 'writer' : 'reader', timeoutMs);
    }
    // The timer's own error says less than the signal's reason.
    await sleep(RETRY_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    signal?.throwIfAborted();
  });
  try {
    if (!isKind(fifo, 'fifo')) throw notAFifo(path, 'something else by now');
    setNonblocking(fifo, false);
    return fifo;
  } catch (error) {
    fifo.close();
    throw error;
  }
}

/** ENXIO means that nobody has it open for reading; an open that waited would be woken by no timeout and no signal. */
async function waitForReader(path: string, pause: () => Promise<void>): Promise<OwnedFd> {
  for (;;) {
    try {
      return openFd(path, O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if (!isSyscallError(error, 'ENXIO')) throw error;
    }
    await pause();
  }
}

/** Opens at once, which lets in a writer that waits for a reader, and keeps it: a second opening could miss that writer. */
async function waitForWriter(path: string, pause: () => Promise<void>): Promise<OwnedFd> {
  const fifo = openFd(path, O_RDONLY | O_NONBLOCK);
  try {
    while (fifoWriters(fifo) === 'none') await pause();
    return fifo;
  } catch (error) {
    fifo.close();
    throw error;
  }
}

async function requireFifo(path: string): Promise<void> {
  let kind: string;
  try {
    kind = fileKind(await stat(path, { bigint: true }));
  } catch (error) {
    throw new StdioError(path, messageOf(error), {
      hint: 'Make the fifo, with mkfifo(1), before the process is launched.',
      cause: error,
    });
  }
  if (kind !== 'fifo') throw notAFifo(path, `a ${kind}`);
}

function notAFifo(path: string, what: string): StdioError {
  return new StdioError(path, `it is ${what}, not a fifo`, {
    hint: "Store a regular file as { kind: 'file' }, or make a fifo there with mkfifo(1).",
  });
}
