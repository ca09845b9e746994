import type { FileHandle } from 'node:fs/promises';
import type { WaitStatus } from '@pilotlight/scm-rights';
import type { ExitRecord } from '../record/exit-record.ts';
import { type ExitSubject, recordExit } from '../supervision/record-exit.ts';

/** Writes the exit of a process that we are the parent of, through a folder kept open for that. */
export class ExitWriter {
  readonly #directory: FileHandle;
  #subject: ExitSubject;
  #recording: Promise<ExitRecord> | undefined;
  #exit: ExitRecord | undefined;
  #closed = false;

  /** Takes over `directory`. */
  constructor(id: string, directory: FileHandle) {
    this.#directory = directory;
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
    this.#recording = recordExit(this.#directory, this.#subject, {
      status,
      source: 'parent',
      exitedAt,
    });
    this.#exit = await this.#recording;
  }

  /** Closes the folder, after what is being written: paths through a descriptor that is closed could lead elsewhere. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Whoever called `record` is told of its failure.
    await this.#recording?.catch(() => undefined);
    await this.#directory.close();
  }
}
