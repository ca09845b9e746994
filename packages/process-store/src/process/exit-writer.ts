import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WaitStatus } from '@pilotlight/scm-rights';
import { isDiskRefusal } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import type { AtExit } from '../supervision/exit-step.ts';
import { describeExit, type ExitSubject, storeExit } from '../supervision/record-exit.ts';

const FIRST_DELAY_MS = 10;
const LONGEST_DELAY_MS = 1000;

export interface ExitWriterOptions {
  /**
   * What to do when the disk is full or read-only: true tries again until it takes the record, with the process unreaped
   * meanwhile, because nothing else has its status. False leaves it to whoever reads the pin next.
   */
  insist: boolean;
  /** What is at the steps of the exit. */
  at?: AtExit;
}

/** Writes the exit of a process that we are the parent of, through a folder kept open for that. */
export class ExitWriter {
  /** Resolves when the disk has refused the record once: the exit is known then, and not on disk. */
  readonly refused: Promise<void>;
  readonly #refuse: () => void;
  readonly #directory: FileHandle;
  readonly #options: ExitWriterOptions;
  readonly #closing = new AbortController();
  #subject: ExitSubject;
  #recording: Promise<ExitRecord> | undefined;
  #exit: ExitRecord | undefined;

  /** Takes over `directory`. */
  constructor(id: string, directory: FileHandle, options: ExitWriterOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#subject = { id, released: false, cgroupPaths: [] };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.refused = promise;
    this.#refuse = resolve;
  }

  /** What is known by now about the process. */
  describe(change: Partial<Omit<ExitSubject, 'id'>>): void {
    this.#subject = { ...this.#subject, ...change };
  }

  /** How it ended, as recorded; known also when the disk took no record, or the record has been deleted since. */
  get exit(): ExitRecord | undefined {
    return this.#exit;
  }

  /** Called while the process is a zombie: it is not reaped before this is on disk. Once closed, leaves it to others. */
  async record(status: WaitStatus): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const exitedAt = new Date().toISOString();
    await this.#options.at?.('ended');
    this.#recording = this.#write({ status, source: 'parent', exitedAt });
    this.#exit = await this.#recording;
    await this.#options.at?.('exitRecorded');
  }

  async #write(finding: Parameters<typeof describeExit>[1]): Promise<ExitRecord> {
    const exit = await describeExit(this.#subject, finding);
    this.#exit = exit;
    const { signal } = this.#closing;
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
      try {
        return await storeExit(this.#directory, exit);
      } catch (error) {
        if (isDiskRefusal(error)) this.#refuse();
        if (!isDiskRefusal(error) || !this.#options.insist || signal.aborted) throw error;
      }
      // Closing ends the pause, and tries a last time.
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Closes the folder, after what is being written: paths through a descriptor that is closed could lead elsewhere. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    // Whoever called `record` is told of its failure.
    await this.#recording?.catch(() => undefined);
    await this.#directory.close();
  }
}
