import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WaitStatus } from '@pilotlight/scm-rights';
import type { ExitRecord } from '../record/exit-record.ts';
import { type ExitSubject, recordExit } from '../supervision/record-exit.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;

/** Writes the exit of a process that we are the parent of, through a folder kept open for that. */
export class ExitWriter {
  readonly #directory: FileHandle;
  #subject: ExitSubject;
  #recording: Promise<ExitRecord | undefined> | undefined;
  #exit: ExitRecord | undefined;
  #closed = false;
  readonly #retries: boolean;
  readonly #stop = new AbortController();

  /**
   * Takes over `directory`. With `retries` what cannot be written is tried again until it can, or until this is closed; for
   * a process whose status is gone once it is reaped.
   */
  constructor(id: string, directory: FileHandle, options: { retries?: boolean } = {}) {
    this.#directory = directory;
    this.#retries = options.retries ?? false;
    this.#subject = { id, released: false, cgroupPaths: [] };
  }

  /** What is known by now about the process. */
  describe(change: Partial<Omit<ExitSubject, 'id'>>): void {
    this.#subject = { ...this.#subject, ...change };
  }

  /** How it ended, as recorded; known also when the record has been deleted since. */
  get exit(): ExitRecord | undefined {
    return this.#exit;
  }

  /** Called while the process is a zombie: it is not reaped before this is on disk. Once closed, leaves it to others. */
  async record(status: WaitStatus): Promise<void> {
    if (this.#closed) return;
    const exitedAt = new Date().toISOString();
    this.#recording = this.#write(status, exitedAt);
    this.#exit = await this.#recording;
  }

  async #write(status: WaitStatus, exitedAt: string): Promise<ExitRecord | undefined> {
    const finding = { status, source: 'parent', exitedAt } as const;
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
      try {
        return await recordExit(this.#directory, this.#subject, finding);
      } catch (error) {
        if (!this.#retries) throw error;
        await sleep(delayMs, undefined, this.#stop).catch(() => undefined);
        if (this.#closed) return undefined;
      }
    }
  }

  /** Closes the folder, after what is being written: paths through a descriptor that is closed could lead elsewhere. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop.abort();
    // Whoever called `record` is told of its failure.
    await this.#recording?.catch(() => undefined);
    await this.#directory.close();
  }
}
