import { writeFile } from 'node:fs/promises';
import { type OwnedFd, readiness, readNow } from '@pilotlight/scm-rights';
import { NoConsoleError, ProcessClosedError } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { type Conclusion, conclude, execsConcluded } from './conclusion.ts';
import { ControlLines, type ControlMessage } from './control-line.ts';
import { INIT_PROCESS_ID, type ProcessPaths } from './layout.ts';
import type { SupervisedProcess } from './supervised-store.ts';
import type { Terminal } from './terminal.ts';

/** Everything that is open for a process while it is supervised; the supervision closes it. */
export interface Handles {
  /** Held for as long as this program is the one that supervises. */
  lock: OwnedFd;
  exitWriter: OwnedFd;
  control: OwnedFd;
  /** Our writer of standard input, for a program without a terminal. */
  stdinWriter: OwnedFd | undefined;
  terminal: Terminal | undefined;
}

/** Which process is supervised. */
export interface Subject {
  key: string;
  id: string;
  paths: ProcessPaths;
  process: SupervisedProcess;
  /** Whether an executed process of the same container has ended. */
  hasEnded: (id: string) => Promise<boolean>;
}

const CONTROL_BYTES = 4096;

/** What the shim of containerd was: obeys the control fifo, and writes down the end. */
export class Supervision {
  /** Resolves when all is written and closed; rejects with ProcessClosedError after `close`, or with what was in the way. */
  readonly ended: Promise<Conclusion>;
  readonly #subject: Subject;
  readonly #handles: Handles;
  readonly #stop = new AbortController();
  readonly #controlled: Promise<void>;

  /** Takes over the handles. */
  constructor(subject: Subject, handles: Handles) {
    this.#subject = subject;
    this.#handles = handles;
    this.#controlled = this.#obey();
    this.ended = this.#supervise();
    this.ended.catch(() => undefined);
  }

  /** In characters. Throws NoConsoleError, SyscallError, InvalidArgumentError. */
  resize(width: number, height: number): void {
    const { terminal } = this.#handles;
    if (terminal === undefined) throw new NoConsoleError(this.#subject.key);
    terminal.resize(width, height);
  }

  /** Remembers it first: whoever takes over must not open the input again. */
  async closeStdin(): Promise<void> {
    await writeFile(this.#subject.paths.file('stdinClosed'), '', { mode: 0o600 });
    this.#handles.stdinWriter?.close();
    this.#handles.terminal?.closeStdin();
  }

  /** Lets go of everything; the process runs on, and the next program that loads it takes over. */
  async close(): Promise<void> {
    this.#stop.abort(new ProcessClosedError('wait for the end of', this.#subject.key));
    await this.ended.catch(() => undefined);
  }

  async #supervise(): Promise<Conclusion> {
    const { terminal, stdinWriter, control, lock, exitWriter } = this.#handles;
    try {
      const exit = await this.#end();
      // Published before anything that others could hold up.
      const conclusion = await conclude(this.#subject.paths, exit);
      await terminal?.finish();
      return conclusion;
    } finally {
      this.#stop.abort();
      await terminal?.close();
      stdinWriter?.close();
      await this.#controlled;
      control.close();
      // Before the hang-up: whoever is woken by it, and finds no status, can take over at once.
      lock.close();
      // Last: who sees the hang-up finds everything else done.
      exitWriter.close();
    }
  }

  async #end(): Promise<ExitRecord> {
    const { process, id, paths, hasEnded } = this.#subject;
    const exit = await process.wait({ signal: this.#stop.signal });
    if (id === INIT_PROCESS_ID) await execsConcluded(paths, hasEnded);
    return exit;
  }

  async #obey(): Promise<void> {
    const { control } = this.#handles;
    const lines = new ControlLines();
    const buffer = Buffer.alloc(CONTROL_BYTES);
    try {
      for (;;) {
        await readiness.wait(control, 'readable', { signal: this.#stop.signal });
        const length = readNow(control, buffer);
        if (length === undefined) continue;
        for (const message of lines.push(buffer.subarray(0, length))) await this.#answer(message);
      }
    } catch {
      // Stopped, as at every end. Nothing else stops a fifo that we have open on both sides.
    }
  }

  async #answer(message: ControlMessage): Promise<void> {
    try {
      if (message.type === 'closeStdin') await this.closeStdin();
      else this.resize(message.width, message.height);
    } catch {
      // A process without a terminal, or one that has just ended. The fifo has no way to say so.
    }
  }
}
