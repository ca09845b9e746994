import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeWaitStatus,
  type FdLike,
  fdNumber,
  isSyscallError,
  type OwnedFd,
  pidfdOpen,
  pidfdSendSignal,
  pidfdState,
  socketpair,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import { driveHandshake, isPeerInitError } from '@pilotlight/sync';
import { embedshim, type ProcSyncMessage } from '@pilotlight/sync/dialects';
import { CleanupError, ExecFailedError, messageOf, WrapperError } from '../errors.ts';
import { ExecutedProcess } from './executed-process.ts';
import { type ProcSyncChannel, procSyncChannel, procSyncVariable } from './proc-sync-socket.ts';
import { runtimeEnvironment } from './runtime-environment.ts';

/** A standard stream of the executed process, if it has no terminal; a descriptor stays the caller's. */
export type ExecStdio = 'inherit' | 'ignore' | FdLike;

/** A process while it is being executed; the descriptor is lent until the hook has settled. */
export type WatchedProcess = { readonly pid: number; readonly pidfd: OwnedFd };

/** What is executed, and what is told when. */
export type StartExecOptions = {
  /** The wrapper and its arguments; see `runtimeCommand` and `runcExecArgs`. */
  readonly command: readonly [string, ...string[]];
  /** For wrapper and runtime, NOTIFY_SOCKET excepted; this process's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Default: `ignore` for all three. */
  readonly stdio?: readonly [stdin: ExecStdio, stdout: ExecStdio, stderr: ExecStdio];
  /** Gives up: stops the wrapper and kills the process. */
  readonly signal?: AbortSignal;
  /** Begins to watch the process, which runs, or has ended and is not reaped before this settles. */
  readonly watch?: (process: WatchedProcess) => void | Promise<void>;
  /** Records the end, or undefined for a process that runs. The status is not reaped before this settles. */
  readonly record?: (exit: WaitStatus | undefined) => void | Promise<void>;
};

/** How long a wrapper may take to end by itself once its socket is closed; then it is killed. */
const STOP_DEADLINE_MS = 5000;

/**
 * Executes a process in a container through an exec wrapper, `pilotlight exec-ext` or embedshim's own: the parent's side of
 * that protocol. Resolves when the wrapper has exited with 0 after the whole dialogue.
 *
 * The caller disposes of the result, which holds a pidfd. Throws ExecFailedError for every failure, one of `watch` or
 * `record` and an aborted signal included, after the wrapper has ended and the process, if it came to that, was killed by
 * its pidfd; CleanupError if that failed too. What the hooks did is then the caller's to undo.
 */
export async function startExec(options: StartExecOptions): Promise<ExecutedProcess> {
  const exec = new Exec(options);
  try {
    await exec.begin();
    await exec.converse();
    return await exec.finish();
  } catch (error) {
    throw await exec.fail(error);
  }
}

class Exec {
  readonly #options: StartExecOptions;
  #channel: ProcSyncChannel | undefined;
  #wrapper: Wrapper | undefined;
  #process: WatchedProcess | undefined;
  #exit: WaitStatus | undefined;

  constructor(options: StartExecOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const [child, parent] = socketpair('stream');
    // Closed here in any case: while we held the child's end too, its own end would never show.
    using _child = child;
    try {
      this.#channel = procSyncChannel(parent);
    } catch (error) {
      parent.close();
      throw error;
    }
    this.#wrapper = await Wrapper.spawn(this.#options, child);
  }

  async converse(): Promise<void> {
    const { signal } = this.#options;
    await driveHandshake<ProcSyncMessage, never>(this.#channel as ProcSyncChannel, {
      table: embedshim.handshakes.exec,
      ...(signal === undefined ? {} : { signal }),
      answers: {
        execPid: async ({ message }) => {
          if (message.type === 'execPid') await this.#watch(message.pid);
          return { message: { type: 'execPidDone' } };
        },
        execStatus: async ({ message }) => {
          if (message.type === 'execStatus' && message.exited) {
            this.#exit = endedStatus(message.exited_status);
          }
          await this.#options.record?.(this.#exit);
          return { message: { type: 'execStatusDone' } };
        },
      },
    });
  }

  async finish(): Promise<ExecutedProcess> {
    this.#channel?.close();
    const wrapper = this.#wrapper as Wrapper;
    await wrapper.ended;
    // It has the last word: what it could not do to the end has failed.
    if (wrapper.end.code !== 0)
      throw new WrapperError(`the wrapper ${describeEnd(wrapper)} at last`);
    const { pid, pidfd } = this.#process as WatchedProcess;
    wrapper.dispose();
    return new ExecutedProcess(pid, pidfd, this.#exit);
  }

  /** Stops everything, and makes the error of the whole from the first one. */
  async fail(first: unknown): Promise<Error> {
    const failures: unknown[] = [];
    this.#channel?.close();
    const wrapper = this.#wrapper;
    try {
      // Closing the socket has told it to clean up, which it can do better than we.
      await wrapper?.stop();
      wrapper?.dispose();
    } catch (error) {
      failures.push(error);
    }
    try {
      if (this.#process !== undefined) kill(this.#process.pidfd);
    } catch (error) {
      failures.push(error);
    } finally {
      this.#process?.pidfd.close();
    }
    const failed = failedExec(first, wrapper);
    return failures.length === 0
      ? failed
      : new CleanupError('execute a process through its wrapper', failed, failures);
  }

  async #watch(pid: number): Promise<void> {
    const pidfd = pidfdOpen(pid);
    // The wrapper, being its parent, does not reap it yet. Dead, it could not have kept the pid for us.
    if (pidfdState((this.#wrapper as Wrapper).pidfd) !== 'running') {
      pidfd.close();
      throw new WrapperError(`the wrapper ended before process ${pid} could be watched`);
    }
    this.#process = { pid, pidfd };
    await this.#options.watch?.(this.#process);
  }
}

/** The process of the wrapper, which Node reaps. */
class Wrapper {
  readonly pidfd: OwnedFd;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pidfd: OwnedFd) {
    this.#child = child;
    this.pidfd = pidfd;
    this.ended = new Promise((resolve) => {
      child.on('exit', () => resolve());
    });
  }

  static async spawn(options: StartExecOptions, socket: OwnedFd): Promise<Wrapper> {
    const [program, ...args] = options.command;
    const stdio = options.stdio ?? ['ignore', 'ignore', 'ignore'];
    const child = spawn(program, args, {
      env: { ...runtimeEnvironment(options.env ?? process.env), [procSyncVariable]: '3' },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [...stdio.map((one) => (typeof one === 'string' ? one : fdNumber(one))), socket.fd],
    });
    const { pid } = child;
    if (pid === undefined) throw await new Promise((resolve) => child.on('error', resolve));
    // In the turn it was spawned: Node has not waited for it yet.
    return new Wrapper(child, pidfdOpen(pid));
  }

  get end(): { code: number | null; signal: NodeJS.Signals | null } {
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  async stop(): Promise<void> {
    const cancel = new AbortController();
    const patience = sleep(STOP_DEADLINE_MS, 'late', { signal: cancel.signal });
    patience.catch(() => undefined);
    if ((await Promise.race([this.ended, patience])) === 'late') kill(this.pidfd);
    cancel.abort();
    await this.ended;
  }

  dispose(): void {
    this.pidfd.close();
  }
}

/** Throws for what no ended process has as its status: an unknown one never passes for an end. */
function endedStatus(raw: number): WaitStatus {
  if (raw > 0xffff || (raw & 0xff) === 0x7f) {
    throw new WrapperError(`${raw} is not the wait status of a process that has ended`);
  }
  return decodeWaitStatus(raw);
}

function failedExec(first: unknown, wrapper: Wrapper | undefined): ExecFailedError {
  const end = wrapper?.end ?? { code: null, signal: null };
  if (isPeerInitError(first)) {
    const text = first.text.replace(/^error: /, '');
    const reason = text === '' ? 'the wrapper failed and gave no reason' : text;
    return new ExecFailedError(reason, { text, wrapper: end, cause: first });
  }
  const told = wrapper === undefined ? '' : ` (the wrapper ${describeEnd(wrapper)})`;
  return new ExecFailedError(`${messageOf(first)}${told}`, { wrapper: end, cause: first });
}

function describeEnd({ end }: Wrapper): string {
  return end.signal === null ? `exited with ${end.code}` : `was ended by ${end.signal}`;
}

function kill(pidfd: OwnedFd): void {
  try {
    pidfdSendSignal(pidfd, 'SIGKILL');
  } catch (error) {
    // It has ended, and somebody has reaped it.
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}
