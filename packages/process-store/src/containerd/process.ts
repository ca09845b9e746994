import type { OciProcess } from '@pilotlight/init';
import { type BorrowedFd, type OwnedFd, readiness } from '@pilotlight/scm-rights';
import { rm } from 'node:fs/promises';
import {
  ControlFifoError,
  isStoreError,
  NotExitedError,
  NotRunningError,
  NotStoppedError,
  ProcessClosedError,
} from '../errors.ts';
import { thawCgroups } from '../process/cgroups.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { type Conclusion, knownStatus, readConclusion } from './conclusion.ts';
import { type ControlMessage, formatControlLine } from './control-line.ts';
import type { FoundProcess } from './find-process.ts';
import { INIT_PROCESS_ID, type ProcessPaths } from './layout.ts';
import type { Observer } from './observer.ts';
import type { ProcessSpec, StdioPaths } from './process-json.ts';
import type { SupervisedStore } from './supervised-store.ts';
import type { Supervision } from './supervision.ts';
import { unlessAborted } from '../supervision/unless-aborted.ts';
import { writeNow } from './write-now.ts';

const CONTROL_DEADLINE_MS = 2000;

/** What a handle is made of. */
export interface ProcessParts {
  store: SupervisedStore;
  container: string;
  id: string;
  key: string;
  paths: ProcessPaths;
  spec: ProcessSpec;
  /** Undefined for a process whose end is written down. */
  found: FoundProcess | undefined;
  pid: number | undefined;
  exitReader: OwnedFd | undefined;
  /** What watches over it: this program, another one that this one looks at, or nobody because it has ended. */
  watch: Supervision | Observer | Conclusion;
}

/**
 * A process in the layout of containerd, winter 2015/16 (`runtime/process.go`): a container's `init`, or one executed in it.
 *
 * From `newProcess` and `loadProcess`. Close it, or use `await using`.
 */
export class Process implements AsyncDisposable {
  /** `init`, or the id that was given to it. */
  readonly id: string;
  readonly container: string;
  /** In the pid namespace of who started it; no handle: use `signal`. Undefined if it never got as far. */
  readonly systemPid: number | undefined;
  readonly spec: OciProcess;
  readonly stdio: StdioPaths;
  /** Host ids of the container's user and group 0. */
  readonly rootUid: number;
  readonly rootGid: number;
  readonly #parts: ProcessParts;
  #closed = false;

  /** Use `newProcess` or `loadProcess`. */
  constructor(parts: ProcessParts) {
    this.id = parts.id;
    this.container = parts.container;
    this.systemPid = parts.pid;
    this.spec = parts.spec.process;
    this.stdio = parts.spec.stdio;
    this.rootUid = parts.spec.rootUid;
    this.rootGid = parts.spec.rootGid;
    this.#parts = parts;
  }

  /** Whether this program supervises it; false while another one does, and once it has ended. */
  get supervised(): boolean {
    return !this.#closed && this.#supervision !== undefined;
  }

  /**
   * Hangs up (poll(2), `readiness.wait(fd, 'hangup')`) when the process and its output are done, or when whoever supervised it
   * has gone: then `exitStatus` tells which. Undefined if it had ended when it was loaded.
   */
  get exitFd(): BorrowedFd | undefined {
    return this.#closed ? undefined : this.#parts.exitReader?.borrow();
  }

  /**
   * Sends a signal, by name or number, to exactly this process. SIGKILL also thaws its cgroup: a frozen process does not take it.
   *
   * Throws NotRunningError, ProcessClosedError, and as `ProcessStore.signal`.
   */
  async signal(signal: NodeJS.Signals | number): Promise<void> {
    const { found } = this.#parts;
    this.#requireOpen('signal');
    if (found === undefined) {
      throw new NotRunningError(`send ${signal} to`, this.#parts.key, 'it has ended');
    }
    await found.signal(signal);
    if (signal === 'SIGKILL' || signal === 9) await thawCgroups(found.cgroupPaths);
  }

  /**
   * Sets the size of its terminal, in characters, 0 to 65535 each. Where another program supervises it, that one is told
   * through the control fifo, which gives no answer.
   *
   * Throws NoConsoleError, ControlFifoError, ProcessClosedError, InvalidArgumentError.
   */
  async resize(width: number, height: number): Promise<void> {
    this.#requireOpen('resize the terminal of');
    const supervision = this.#supervision;
    if (supervision !== undefined) supervision.resize(width, height);
    else await this.#tell({ type: 'resize', width, height });
  }

  /**
   * Closes our side of its standard input. The program sees the end of file when it has read everything that was written, and
   * every client has closed its side too. Throws ControlFifoError, ProcessClosedError.
   */
  async closeStdin(): Promise<void> {
    this.#requireOpen('close the standard input of');
    const supervision = this.#supervision;
    if (supervision !== undefined) await supervision.closeStdin();
    else await this.#tell({ type: 'closeStdin' });
  }

  /**
   * The code it exited with, or 128 + the signal that ended it, as written in `exitStatus`.
   *
   * Throws NotExitedError, and UnknownStatusError where nobody knows, whatever number the file has.
   */
  async exitStatus(): Promise<number> {
    const { key, paths } = this.#parts;
    const conclusion = await readConclusion(paths);
    if (conclusion === undefined) throw new NotExitedError(key);
    return knownStatus(key, conclusion);
  }

  /**
   * Waits until it has ended, its output is done and all is written down; tells how. Undefined where another program wrote
   * the files, who leaves only a number: see `exitStatus`.
   *
   * Rejects with the signal's reason, ProcessClosedError, ForeignNamespaceError, BadRecordError.
   */
  async waitExit({ signal }: { signal?: AbortSignal } = {}): Promise<ExitRecord | undefined> {
    this.#requireOpen('wait for the end of');
    signal?.throwIfAborted();
    const { watch } = this.#parts;
    if ('status' in watch) return watch.exit;
    const { exit } = await unlessAborted(watch.ended, signal);
    return exit;
  }

  /**
   * Deletes its record in the store, then its folder; that of the container with `init`. `force` kills it first.
   *
   * Closes this handle. Throws NotStoppedError and as `ProcessStore.remove`; ProcessClosedError.
   */
  async remove({ force = false }: { force?: boolean } = {}): Promise<void> {
    const { store, key, paths, id, watch, found } = this.#parts;
    this.#requireOpen('delete');
    if (!force && !('status' in watch) && (await readConclusion(paths)) === undefined) {
      throw new NotStoppedError('delete', key, 'running', 'its end is not written down');
    }
    try {
      await store.remove(key, { force });
    } catch (error) {
      // Deleted by itself before, or never ours.
      if (!isStoreError(error, 'ERR_STORE_NOT_FOUND')) throw error;
      if (force && !('status' in watch)) await kill(found);
    }
    // Its end is written in the folder, for others that look at it, before that goes.
    if (!('status' in watch)) await watch.ended.catch(() => undefined);
    await this.close();
    await rm(id === INIT_PROCESS_ID ? paths.container : paths.directory, {
      recursive: true,
      force: true,
    });
  }

  /**
   * Closes all that is open here. The process runs on: another program that looks at it, or the next that loads it, takes over.
   * A program on a terminal gets SIGHUP, unless a monitor holds the master.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { watch, exitReader, found } = this.#parts;
    if (!('status' in watch)) await watch.close();
    exitReader?.close();
    found?.close?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #supervision(): Supervision | undefined {
    const { watch } = this.#parts;
    if ('status' in watch) return undefined;
    return 'supervision' in watch ? watch.supervision : watch;
  }

  #requireOpen(action: string): void {
    if (this.#closed) throw new ProcessClosedError(action, this.#parts.key);
  }

  /** Says it to the supervisor. A fifo that is full is not read: that is not waited for without end. */
  async #tell(message: ControlMessage): Promise<void> {
    const { watch, paths, key } = this.#parts;
    if (!('control' in watch))
      throw new NotRunningError('write to the control fifo of', key, 'it has ended');
    const line = Buffer.from(formatControlLine(message));
    const deadline = AbortSignal.timeout(CONTROL_DEADLINE_MS);
    for (;;) {
      const taken = writeNow(watch.control, line);
      // At most PIPE_BUF bytes go whole or not at all; pipe(7).
      if (taken !== undefined) return;
      try {
        await readiness.wait(watch.control, 'writable', { signal: deadline });
      } catch (error) {
        if (!deadline.aborted) throw error;
        throw new ControlFifoError(
          paths.file('control'),
          `it has been full for ${CONTROL_DEADLINE_MS} ms`,
        );
      }
    }
  }
}

async function kill(found: FoundProcess | undefined): Promise<void> {
  try {
    await found?.signal('SIGKILL');
  } catch (error) {
    if (!isStoreError(error, 'ERR_STORE_NOT_RUNNING')) throw error;
  }
}
