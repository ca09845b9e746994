import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnedFd, setNonblocking, setWindowSize } from '@pilotlight/scm-rights';
import { Copier } from './copier.ts';
import { openCopierOutput, openStdin, type OpenOutput, type OpenStdin } from './open-stream.ts';
import type { StdioPaths } from './process-json.ts';

/** How long the last output may take to arrive when something else still holds the program's terminal. */
const QUIET_MS = 250;
/** And how long its reader may take to make room for it. */
const DRAIN_MS = 5000;

/** The master of a program's terminal, joined to the client's fifos. */
export class Terminal {
  readonly #master: OwnedFd;
  readonly #stdin: OpenStdin | undefined;
  readonly #output: OpenOutput | undefined;
  readonly #input: Copier | undefined;
  readonly #outputs: Copier;

  private constructor(
    master: OwnedFd,
    stdin: OpenStdin | undefined,
    output: OpenOutput | undefined,
  ) {
    this.#master = master;
    this.#stdin = stdin;
    this.#output = output;
    this.#input = stdin === undefined ? undefined : new Copier(stdin.reader, master);
    this.#outputs = new Copier(master, output?.writer);
  }

  /** Takes over `master`, also when it throws. `keepStdin` false: standard input was closed before. Throws SyscallError. */
  static join(
    master: OwnedFd,
    stdio: StdioPaths,
    { keepStdin = true }: { keepStdin?: boolean } = {},
  ): Terminal {
    let stdin: OpenStdin | undefined;
    try {
      setNonblocking(master, true);
      stdin = openStdin(stdio.stdin, 'copier');
      if (!keepStdin) stdin?.writer?.close();
      return new Terminal(master, stdin, openCopierOutput(stdio.stdout));
    } catch (error) {
      stdin?.reader.close();
      stdin?.writer?.close();
      master.close();
      throw error;
    }
  }

  /** In characters. Throws SyscallError, InvalidArgumentError. */
  resize(width: number, height: number): void {
    setWindowSize(this.#master, { rows: height, columns: width });
  }

  /** Drops our writer of the fifo: what is in it is still copied, up to its end, which comes when the clients' are closed. */
  closeStdin(): void {
    this.#stdin?.writer?.close();
  }

  /** For a program that has ended: copies what is left, for a bounded time, and closes everything. */
  async finish(): Promise<void> {
    await this.#drained();
    await this.close();
  }

  /** Closes everything at once. A program that runs gets SIGHUP, unless somebody else holds the master. */
  async close(): Promise<void> {
    await Promise.all([this.#input?.abort(), this.#outputs.abort()]);
    for (const fd of [
      this.#stdin?.writer,
      this.#stdin?.reader,
      this.#output?.writer,
      this.#output?.reader,
      this.#master,
    ]) {
      fd?.close();
    }
  }

  /** The end comes when nobody has the terminal open; a grandchild that does is not waited for. */
  async #drained(): Promise<void> {
    const deadline = performance.now() + DRAIN_MS;
    const stop = new AbortController();
    const ended = this.#outputs.done.then(() => 'ended' as const);
    try {
      for (let copied = -1; copied !== this.#outputs.copiedBytes || this.#outputs.writing;) {
        copied = this.#outputs.copiedBytes;
        const quiet = sleep(QUIET_MS, 'quiet' as const, { signal: stop.signal });
        quiet.catch(() => undefined);
        if ((await Promise.race([ended, quiet])) === 'ended') return;
        if (performance.now() > deadline) return;
      }
    } finally {
      stop.abort();
    }
  }
}
