import { chmod, mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { OciProcess, OciSpec } from '@pilotlight/init';
import {
  type OwnedFd,
  receiveFile,
  SeqpacketSocket,
  socketpair,
  tryLock,
} from '@pilotlight/scm-rights';
import { openDirectory } from '../disk/open-directory.ts';
import {
  BusyError,
  CleanupError,
  errnoCode,
  IdInUseError,
  InvalidIdError,
  NotFoundError,
} from '../errors.ts';
import { parseRecordId } from '../record/record-id.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { ensureFifo, openControl, openExitReader, openExitWriter } from './fifos.ts';
import { hostRootIds } from './host-root-ids.ts';
import {
  containerFiles,
  INIT_PROCESS_ID,
  processFiles,
  type ProcessPaths,
  processPaths,
} from './layout.ts';
import { readIfThere, writeLayoutFile } from './layout-file.ts';
import { openProgramOutput, openStdin } from './open-stream.ts';
import { Process } from './process.ts';
import {
  decodeProcessSpec,
  encodeProcessSpec,
  NULL_DEVICE,
  type ProcessSpec,
  type StdioPaths,
} from './process-json.ts';
import { processKey } from './process-key.ts';
import { encodeContainerState } from './state-json.ts';
import type { StartRequest, SupervisedProcess, SupervisedStore } from './supervised-store.ts';
import { Supervision } from './supervision.ts';
import { subjectOf } from './take-over.ts';
import { Terminal } from './terminal.ts';

interface NewProcessBase {
  /** Absolute, as `/run/containerd`; made if it is not there. */
  stateRoot: string;
  /** Id of the container: 1 to 255 of `A-Z a-z 0-9 _ + - .`. */
  container: string;
  /**
   * Absolute paths, of fifos that the client has made, or of files; /dev/null where empty or absent. A terminal has no standard
   * error of its own: all its output goes to `stdout`.
   */
  stdio?: Partial<StdioPaths>;
  /** Ends the start, of which nothing is left then. */
  signal?: AbortSignal;
}

/** A container and its first process. */
export interface NewInit extends NewProcessBase {
  id?: typeof INIT_PROCESS_ID;
  spec: OciSpec;
  /** The bundle's directory. */
  bundle: string;
  /** Kept in `state.json`; null there if absent. */
  labels?: readonly string[];
}

/** A process in a container that runs. */
export interface NewExec extends NewProcessBase {
  /** Not `init`. */
  id: string;
  process: OciProcess;
}

/** What to start: a container's first process has a `spec`, another one a `process`. */
export type NewProcessRequest = NewInit | NewExec;

/**
 * Starts a process in the layout of containerd and supervises it. Resolves when its program runs; by then `pid` and `starttime`
 * are written. If it fails nothing is left, and the first cause is thrown.
 *
 * Throws InvalidIdError, IdInUseError, NotFoundError (no such container), SyscallError (a fifo of the client that is not there),
 * and what the store's `launch` and `exec` throw.
 */
export async function newProcess(
  store: SupervisedStore,
  request: NewProcessRequest,
): Promise<Process> {
  const container = parseRecordId(request.container);
  const id = parseRecordId(request.id ?? INIT_PROCESS_ID);
  request.signal?.throwIfAborted();
  const start = new Start(store, request, container, id);
  try {
    return await start.run();
  } catch (error) {
    throw await start.undo(error);
  }
}

class Start {
  readonly #store: SupervisedStore;
  readonly #request: NewProcessRequest;
  readonly #container: string;
  readonly #id: string;
  readonly #key: string;
  readonly #paths: ProcessPaths;
  /** What was made, in the order in which it was; undone in the other. */
  readonly #made: (() => Promise<void> | void)[] = [];

  constructor(store: SupervisedStore, request: NewProcessRequest, container: string, id: string) {
    this.#store = store;
    this.#request = request;
    this.#container = container;
    this.#id = id;
    this.#key = processKey(container, id);
    this.#paths = processPaths(resolve(request.stateRoot), container, id);
  }

  async run(): Promise<Process> {
    const paths = this.#paths;
    const isInit = 'spec' in this.#request;
    if (isInit !== (this.#id === INIT_PROCESS_ID)) {
      throw new InvalidIdError(this.#id, isInit ? 'is not init' : "is that of a container's first");
    }
    if ('spec' in this.#request) await this.#reserveContainer(this.#request);
    await this.#reserve(paths.directory);
    const lock = this.#keep(this.#lock());
    const spec = await this.#describe();
    await this.#write(processFiles.process, encodeProcessSpec(spec));
    ensureFifo(paths.file('exit'));
    ensureFifo(paths.file('control'));
    // The reader first: the writer would fail without one, and the hang-up is only told of writers that came after it.
    const exitReader = this.#keep(openExitReader(paths.file('exit')));
    const exitWriter = this.#keep(openExitWriter(paths.file('exit')));
    const control = this.#keep(openControl(paths.file('control')));
    const streams = new Streams(spec);
    this.#made.push(() => streams.close());
    const found = await this.#start(streams);
    // It runs: from here on a failure has to end it.
    this.#made.push(() => this.#store.remove(this.#key, { force: true }));
    const { stdinWriter, terminal } = await streams.afterStart();
    const parts = { store: this.#store, container: this.#container, id: this.#id, paths, spec };
    const handles = { lock, exitWriter, control, stdinWriter, terminal };
    return new Process({
      ...parts,
      key: this.#key,
      found,
      pid: found.pid,
      exitReader,
      watch: new Supervision(subjectOf({ ...parts, found }), handles),
    });
  }

  /** Takes back what was made; returns what to throw. */
  async undo(error: unknown): Promise<unknown> {
    const failures: unknown[] = [];
    for (const undo of this.#made.toReversed()) {
      try {
        await undo();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length === 0) return error;
    return new CleanupError(`start ${this.#key}`, error, failures);
  }

  async #start(streams: Streams): Promise<SupervisedProcess> {
    const request: StartRequest = {
      ...streams.forStart(),
      ...(this.#request.signal === undefined ? {} : { signal: this.#request.signal }),
      beforeRun: ({ pid }) => this.#identify(pid),
    };
    if ('spec' in this.#request) {
      const { spec, bundle } = this.#request;
      const key = this.#container;
      return this.#store.launch({ ...request, id: key, spec, bundle: resolve(bundle) });
    }
    const { process } = this.#request;
    return this.#store.exec(this.#container, { ...request, id: this.#id, process });
  }

  /** While the child waits: nobody can see a process that runs and has no pid in its file. */
  async #identify(pid: number): Promise<void> {
    const ticks = readStartTicks(pid);
    // The start time first: whoever sees the pid can prove whose it is.
    if (ticks !== undefined) await this.#write(processFiles.startTime, String(ticks));
    await this.#write(processFiles.pid, String(pid));
  }

  async #describe(): Promise<ProcessSpec> {
    const { stdin = '', stdout = '', stderr = '' } = this.#request.stdio ?? {};
    const orNull = (path: string): string => (path === '' ? NULL_DEVICE : path);
    const rest = {
      checkpoint: '',
      stdio: { stdin: orNull(stdin), stdout: orNull(stdout), stderr: orNull(stderr) },
    };
    if ('spec' in this.#request) {
      const { spec } = this.#request;
      return { process: spec.process, exec: false, ...hostRootIds(spec), ...rest };
    }
    const path = this.#paths.sibling(INIT_PROCESS_ID).file('process');
    const text = await readIfThere(path);
    const { rootUid, rootGid } =
      text === undefined ? { rootUid: 0, rootGid: 0 } : decodeProcessSpec(text, path);
    return { process: this.#request.process, exec: true, rootUid, rootGid, ...rest };
  }

  async #reserveContainer({ bundle, labels }: NewInit): Promise<void> {
    const { container } = this.#paths;
    await mkdir(resolve(this.#request.stateRoot), { recursive: true, mode: 0o755 });
    await this.#reserve(container);
    await using directory = await openDirectory(container);
    const state = { bundle: resolve(bundle), labels: labels ?? null };
    const text = encodeContainerState({ ...state, stdin: '', stdout: '', stderr: '' });
    await writeLayoutFile(directory, containerFiles.state, text);
  }

  /** mkdir(2) is the reservation of an id. */
  async #reserve(path: string): Promise<void> {
    try {
      await mkdir(path, { mode: 0o755 });
    } catch (error) {
      if (errnoCode(error) === 'EEXIST') throw new IdInUseError(this.#key, this.#request.stateRoot);
      if (errnoCode(error) === 'ENOENT') {
        throw new NotFoundError(this.#container, this.#request.stateRoot, []);
      }
      throw error;
    }
    this.#made.push(() => rm(path, { recursive: true, force: true }));
    await chmod(path, 0o755);
  }

  #lock(): OwnedFd {
    const path = this.#paths.file('lock');
    const lock = tryLock(path, 'exclusive');
    // Somebody who loads what is not written yet.
    if (lock === undefined) throw new BusyError(path, 0, undefined);
    return lock;
  }

  async #write(name: string, text: string): Promise<void> {
    await using directory = await openDirectory(this.#paths.directory);
    await writeLayoutFile(directory, name, text);
  }

  #keep(fd: OwnedFd): OwnedFd {
    this.#made.push(() => fd.close());
    return fd;
  }
}

/** The standard streams of a process while it is started: what the program gets, and what stays. */
class Streams {
  readonly #spec: ProcessSpec;
  readonly #forProgram: OwnedFd[] = [];
  #stdinWriter: OwnedFd | undefined;
  #console: { ours: SeqpacketSocket; theirs: OwnedFd } | undefined;
  #terminal: Terminal | undefined;

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
  }

  /** Opens them. Throws SyscallError; what is open then is closed by `close`. */
  forStart(): Pick<StartRequest, 'stdio' | 'consoleSocket'> {
    if (this.#spec.process.terminal === true) {
      const [ours, theirs] = socketpair('seqpacket');
      this.#console = { ours: new SeqpacketSocket(ours), theirs };
      return { consoleSocket: theirs };
    }
    const { stdin: stdinPath, stdout: stdoutPath, stderr: stderrPath } = this.#spec.stdio;
    const stdin = openStdin(stdinPath, 'program');
    if (stdin !== undefined) this.#forProgram.push(stdin.reader);
    this.#stdinWriter = stdin?.writer;
    const outputs = [stdoutPath, stderrPath].map((path) => {
      const output = openProgramOutput(path);
      if (output !== undefined) this.#forProgram.push(output);
      return output ?? 'ignore';
    });
    return { stdio: [stdin?.reader ?? 'ignore', outputs[0] ?? 'ignore', outputs[1] ?? 'ignore'] };
  }

  /** Closes what only the program has from now on, and joins its terminal. */
  async afterStart(): Promise<{
    stdinWriter: OwnedFd | undefined;
    terminal: Terminal | undefined;
  }> {
    for (const fd of this.#forProgram) fd.close();
    if (this.#console !== undefined) {
      // Ours would hide that nothing was sent.
      this.#console.theirs.close();
      const { fd } = await receiveFile(this.#console.ours);
      this.#console.ours.close();
      this.#terminal = Terminal.join(fd, this.#spec.stdio);
    }
    return { stdinWriter: this.#stdinWriter, terminal: this.#terminal };
  }

  async close(): Promise<void> {
    for (const fd of this.#forProgram) fd.close();
    this.#stdinWriter?.close();
    this.#console?.theirs.close();
    this.#console?.ours.close();
    await this.#terminal?.close();
  }
}
