import { constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import { closeAll, openFd, type OwnedFd } from '@pilotlight/scm-rights';
import { StdioError } from '../errors.ts';
import { statFd } from './file-kind.ts';
import { openLogFifo } from './log-fifo.ts';
import { openFifo } from './open-fifo.ts';
import { openFile } from './open-file.ts';
import type { StoredInput, StoredOutput, StoredStreams } from './stored-stdio.ts';

export interface OpenStdioOptions {
  /** The record's folder, where the fifos of a log are; a path through /proc/self/fd will do. */
  directory: string;
  /** How long the other sides of fifos may take to come, in milliseconds; 10,000 by default. */
  fifoTimeoutMs?: number;
  /** Ends the waiting for them. */
  signal?: AbortSignal | undefined;
}

const FIFO_TIMEOUT_MS = 10_000;

/** The opened streams of one process, until they are closed here; the process has its own copies. */
export class OpenedStdio implements Disposable {
  /** Close-on-exec. Streams that share one open file are the same descriptor. */
  readonly fds: readonly [stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd];

  constructor(fds: readonly [OwnedFd, OwnedFd, OwnedFd]) {
    this.fds = fds;
  }

  /** Closes them, each once. To be called once the process has its own, or nobody ever sees an end of file. */
  close(): void {
    closeAll(new Set(this.fds));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens stored streams for a process, so that no part of it depends on this process afterwards. The caller closes the result.
 *
 * Outputs with the same file or fifo share one open file, so that what is written to both is in the order of writing. Fifos
 * are waited for at the same time, in whatever order the others come.
 * Throws StdioError, FifoTimeoutError, SyscallError, the signal's reason; nothing is open then.
 */
export async function openStdio(
  { stdin, stdout, stderr }: StoredStreams,
  options: OpenStdioOptions,
): Promise<OpenedStdio> {
  options.signal?.throwIfAborted();
  const opening = new Opening(options);
  try {
    await refuseEcho(stdin, [stdout, stderr]);
    const shared =
      stderr.kind === 'fifo' && stdout.kind === 'fifo' && (await isSame(stdout, stderr));
    const [input, output, error] = await opening.all([
      () => opening.input(stdin),
      () => opening.output(stdout, 'stdout'),
      async () => (shared ? undefined : opening.output(stderr, 'stderr')),
    ]);
    return new OpenedStdio([input!, output!, opening.unite(output!, error)]);
  } catch (error) {
    opening.close();
    throw error;
  }
}

class Opening {
  readonly #options: OpenStdioOptions;
  readonly #opened = new Set<OwnedFd>();
  readonly #failed = new AbortController();
  #null: OwnedFd | undefined;

  constructor(options: OpenStdioOptions) {
    this.#options = options;
  }

  /** All at once; rejects with the first failure, when the others have ended as well. */
  async all(
    openings: readonly (() => Promise<OwnedFd | undefined>)[],
  ): Promise<(OwnedFd | undefined)[]> {
    let first: { error: unknown } | undefined;
    const results = openings.map(async (open) => {
      try {
        const fd = await open();
        if (fd !== undefined) this.#opened.add(fd);
        return fd;
      } catch (error) {
        first ??= { error };
        this.#failed.abort();
        return undefined;
      }
    });
    const fds = await Promise.all(results);
    if (first !== undefined) throw first.error;
    return fds;
  }

  async input(stream: StoredInput): Promise<OwnedFd> {
    if (stream.kind === 'null') return this.#nullDevice();
    return stream.kind === 'file' ? openFile(stream, 'input') : this.#fifo(stream.path, 'input');
  }

  async output(stream: StoredOutput, name: 'stdout' | 'stderr'): Promise<OwnedFd> {
    if (stream.kind === 'null') return this.#nullDevice();
    if (stream.kind === 'file') return openFile(stream, 'output');
    if (stream.kind === 'log') return openLogFifo(this.#options.directory, name);
    return this.#fifo(stream.path, 'output');
  }

  /** What standard error is: the open file of standard output, if it is the same file by whatever name. */
  unite(output: OwnedFd, error: OwnedFd | undefined): OwnedFd {
    if (error === undefined) return output;
    const [one, other] = [statFd(output), statFd(error)];
    if (output === error || !one.isFile() || one.dev !== other.dev || one.ino !== other.ino) {
      return error;
    }
    this.#opened.delete(error);
    error.close();
    return output;
  }

  close(): void {
    closeAll(this.#opened);
  }

  #nullDevice(): OwnedFd {
    this.#null ??= openFd('/dev/null', constants.O_RDWR | constants.O_NOCTTY);
    return this.#null;
  }

  async #fifo(path: string, side: 'input' | 'output'): Promise<OwnedFd> {
    const { signal, fifoTimeoutMs = FIFO_TIMEOUT_MS } = this.#options;
    const signals = signal === undefined ? [] : [signal];
    return openFifo(path, side, {
      timeoutMs: fifoTimeoutMs,
      signal: AbortSignal.any([...signals, this.#failed.signal]),
    });
  }
}

/** A process that reads the fifo it writes to would feed itself, and never see an end of file. */
async function refuseEcho(stdin: StoredInput, outputs: readonly StoredOutput[]): Promise<void> {
  if (stdin.kind !== 'fifo') return;
  for (const output of outputs) {
    if (output.kind !== 'fifo' || !(await isSame(stdin, output))) continue;
    throw new StdioError(stdin.path, 'the process would read what it writes', {
      hint: 'Give standard input a fifo of its own.',
    });
  }
}

async function isSame(one: { path: string }, other: { path: string }): Promise<boolean> {
  if (one.path === other.path) return true;
  try {
    const [a, b] = await Promise.all([one, other].map(({ path }) => stat(path, { bigint: true })));
    return a!.dev === b!.dev && a!.ino === b!.ino;
  } catch {
    // What is missing is reported by name when it is opened.
    return false;
  }
}
