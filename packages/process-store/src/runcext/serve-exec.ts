import { resolve } from 'node:path';
import { peekChild, pidfdOpen, reapChild, setChildSubreaper } from '@pilotlight/scm-rights';
import { createHandshake } from '@pilotlight/sync';
import { embedshim, type ProcSyncMessage } from '@pilotlight/sync/dialects';
import { CleanupError, messageOf } from '../errors.ts';
import { childPids, killChildren } from './kill-children.ts';
import { type ExecExtCommand, parseExecExt } from './parse-exec-ext.ts';
import {
  inheritedProcSyncChannel,
  type ProcSyncChannel,
  procSyncVariable,
} from './proc-sync-socket.ts';
import { readPidFile } from './read-pid-file.ts';
import { runRuntime } from './run-runtime.ts';
import { runcExecArgs } from './runc-args.ts';
import { runtimeEnvironment } from './runtime-environment.ts';
import { RuntimeLog } from './runtime-log.ts';

/** What the exec wrapper takes from its process. */
export type ServeExecOptions = {
  /** Has `_RUNCEXT_PROC_SYNC_PIPE`; the rest but NOTIFY_SOCKET is the runtime's. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends it as a failure does, with its reason. */
  readonly signal?: AbortSignal;
};

/** How long a runtime that has succeeded may leave its pid file empty. */
const PID_FILE_DEADLINE_MS = 2000;
const MAX_TEXT_CHARACTERS = 4000;

/**
 * The child's side of embedshim's exec: what its program `embedshim-runcext` does, with the same command line, environment
 * and messages.
 *
 *     parent                                wrapper
 *                                           runs `runc exec --detach`, reads the pid file, opens a pidfd
 *                        <-------------     execPid
 *     execPidDone        ------------->
 *                        <-------------     execStatus             by peeking: the status stays with the kernel
 *     execStatusDone     ------------->
 *                                           reaps what has ended, and leaves the rest to the next subreaper
 *
 * Only the wrapper can wait for the process, being its subreaper. So it reports an end before the parent could watch for it,
 * and reaps only when the parent has recorded that.
 *
 * Any failure, a signal and a parent that is gone included, kills the process and what the runtime left, is reported to the
 * parent as `error: <message>` if it still listens, and rejects, so that the caller exits with another code than 0. Throws
 * ExecUsageError, InvalidIdError, RuntimeError, PidFileError, HandshakeError and other errors of the sync package,
 * SyscallError, and the signal's reason.
 *
 * The process that calls it becomes a subreaper and must do nothing else: on failure all children it got since are killed.
 */
export async function serveExec(args: readonly string[], options: ServeExecOptions): Promise<void> {
  const channel = inheritedProcSyncChannel(options.env);
  try {
    await serve(channel, args, options);
  } catch (error) {
    const message = `error: ${messageOf(error).slice(0, MAX_TEXT_CHARACTERS)}`;
    // To nobody, if it is the parent who is gone.
    await channel.send({ type: 'error', message }).catch(() => undefined);
    throw error;
  } finally {
    channel.close();
  }
}

async function serve(
  channel: ProcSyncChannel,
  args: readonly string[],
  { env, signal }: ServeExecOptions,
): Promise<void> {
  const command = parseExecExt(args);
  const spared = childPids();
  setChildSubreaper();
  const dialogue = new Dialogue(channel, signal);
  try {
    // Asked for from the start: a parent that leaves, or speaks out of turn, ends the runtime.
    const watched = dialogue.receive();
    const parent = new AbortController();
    watched.catch((error: unknown) => parent.abort(error));
    const ending = AbortSignal.any([parent.signal, ...(signal === undefined ? [] : [signal])]);
    await execute(command, env, ending);
    await report(dialogue, command, watched);
  } catch (error) {
    await cleanUp(error, spared);
    throw error;
  }
}

async function execute(
  { runtime, id, exec }: ExecExtCommand,
  env: ServeExecOptions['env'],
  signal: AbortSignal,
): Promise<void> {
  await using log = await RuntimeLog.prepare(runtime);
  await runRuntime(runcExecArgs(id, { ...exec, process: resolve(exec.process) }), {
    env: runtimeEnvironment(env, procSyncVariable),
    log,
    signal,
  });
}

async function report(
  dialogue: Dialogue,
  { exec }: ExecExtCommand,
  watched: Promise<void>,
): Promise<void> {
  const pid = await readPidFile(resolve(exec.pidFile), {
    signal: AbortSignal.timeout(PID_FILE_DEADLINE_MS),
  });
  using pidfd = pidfdOpen(pid);
  // ECHILD unless it is a child of ours, which only we reap: from here on nobody else can have its pid.
  peekChild(pidfd);
  await dialogue.send({ type: 'execPid', pid });
  await watched;
  const end = peekChild(pidfd);
  await dialogue.send(
    end === undefined
      ? { type: 'execStatus', exited: false }
      : { type: 'execStatus', exited: true, exited_status: end.raw },
  );
  await dialogue.receive();
  if (end !== undefined) reapChild(pidfd);
}

async function cleanUp(first: unknown, spared: readonly number[]): Promise<void> {
  try {
    await killChildren(spared);
  } catch (failure) {
    throw new CleanupError('execute a process', first, [failure]);
  }
}

/** The child's end, which lets only what is due pass. Unlike a conversation it stays open for the last word. */
class Dialogue {
  readonly #channel: ProcSyncChannel;
  readonly #signal: AbortSignal | undefined;
  readonly #handshake = createHandshake(embedshim.handshakes.exec, 'child');

  constructor(channel: ProcSyncChannel, signal: AbortSignal | undefined) {
    this.#channel = channel;
    this.#signal = signal;
  }

  async send(message: ProcSyncMessage): Promise<void> {
    this.#handshake.sent(message.type);
    await this.#channel.send(message);
  }

  async receive(): Promise<void> {
    const received = await this.#channel.receive(
      this.#signal === undefined ? {} : { signal: this.#signal },
    );
    if (received === undefined) this.#handshake.ended();
    else this.#handshake.received(received.message.type);
  }
}
