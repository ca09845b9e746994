import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  decodeWaitStatus,
  type FdLike,
  fdNumber,
  isSyscallError,
  NOTHING_YET,
  type OwnedFd,
  pidfdInfo,
  SeqpacketSocket,
  socketpair,
  waitPidfd,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import type { NamespaceToJoin } from '../config/init-config.ts';
import { UnknownExitError, ZygoteError } from '../errors.ts';
import { signalProcess } from '../end/signal-process.ts';
import { koffiModulePath } from '../syscall/koffi-module.ts';
import {
  defaultSettings,
  type DescriptorRole,
  maxNameLength,
  type ZygoteEvent,
  type ZygoteRequest,
  type ZygoteSettings,
} from '../zygote/protocol.ts';
import { reportedFailure } from './launch-error.ts';
import {
  optionalZygoteFlags,
  requiredZygoteFlags,
  spawningZygoteFlags,
} from '../zygote/zygote-flags.ts';
import { plainNodeBinary, protectedNodeBinary } from './node-binary.ts';
import { Utterances } from './utterances.ts';
import type { ForkedChild, ForkRequest, Zygote } from './zygote.ts';

export type ZygoteOptions = {
  /** The Node binary: a path, or a name in this process's PATH. Default: this process's own. */
  nodePath?: string;
  /** How long it may take to be ready, in milliseconds. Default 15 000. */
  timeoutMs?: number;
  /**
   * How thoroughly it tests, before it is ready, that its Node survives being forked: `quick` takes
   * some 3 ms; `full` some 100 ms, once per binary in the life of this process. Default `quick`.
   */
  selfTest?: 'quick' | 'full';
  /**
   * Whether it runs from a read-only clone of its binary where a container could otherwise come to
   * overwrite that file through /proc/PID/exe. Default true; only for debugging anything else.
   */
  readOnlyBinary?: boolean;
  /**
   * How long a child may be on its way to its program without waiting for this process, in
   * milliseconds, before the zygote kills it. Only counts when this process does not keep to the
   * deadlines of its launches because it is stopped or blocked, so give more than their
   * `timeoutMs`. Default 600 000.
   */
  watchdogMs?: number;
};

const defaultTimeoutMs = 15_000;
/** Node's status for a command line it does not understand. */
const EXIT_BAD_FLAG = 9;

/**
 * Starts a zygote: a Node process with the flags that make forking safe and an empty environment.
 *
 * It is ready after its self-test, some 50 ms later, and ends with this process or with `close`.
 *
 * @throws ZygoteError when it cannot be started or its Node cannot be forked
 */
export function startZygote(options: ZygoteOptions = {}): Promise<Zygote> {
  return startForkingProcess(options);
}

/** A zygote that is a process of its own. */
export interface ProcessZygote extends Zygote {
  /** It has ended, for whatever reason. */
  readonly gone: Promise<void>;
}

/** @throws as startZygote */
export async function startForkingProcess(options: ZygoteOptions): Promise<ProcessZygote> {
  const program = '@pilotlight/init/zygote';
  const all = [...requiredZygoteFlags, ...optionalZygoteFlags];
  try {
    return await startWithFlags(program, [all, requiredZygoteFlags], options);
  } catch (cause) {
    if (!isBadFlag(cause)) throw cause;
    throw new ZygoteError(
      `this Node cannot be forked: it does not know ${requiredZygoteFlags.join(' ')}`,
      { cause, unfit: true, exitCode: EXIT_BAD_FLAG, hint: fitNodeHint },
    );
  }
}

/** @throws ZygoteError when it cannot be started */
export function startSpawningProcess(options: ZygoteOptions): Promise<ProcessZygote> {
  return startWithFlags('@pilotlight/init/spawning-zygote', [spawningZygoteFlags, []], options);
}

/** With the first list of flags that Node knows. */
async function startWithFlags(
  program: string,
  [flags = [], ...fewer]: (readonly string[])[],
  options: ZygoteOptions,
): Promise<ProcessZygote> {
  try {
    return await ZygoteProcess.start(program, flags, options);
  } catch (error) {
    if (!isBadFlag(error) || fewer.length === 0) throw error;
    return startWithFlags(program, fewer, options);
  }
}

const isBadFlag = (error: unknown): boolean =>
  error instanceof ZygoteError && error.exitCode === EXIT_BAD_FLAG;

const fitNodeHint = 'Use a released Node 22.18 or newer from nodejs.org, on glibc or musl.';

/** Binaries and flags that have passed the full self-test. */
const fullyTested = new Set<string>();

type Waiting = { resolve(pid: number): void; reject(error: unknown): void };
type Living = {
  pidfd: OwnedFd;
  ended: PromiseWithResolvers<WaitStatus>;
  reaped: PromiseWithResolvers<void>;
};

class ZygoteProcess implements ProcessZygote {
  readonly #process: ChildProcess;
  readonly #requests: SeqpacketSocket;
  readonly #events: Socket;
  /** What it wrote to its standard error: nothing, unless it is about to end. */
  readonly #said: Utterances;
  readonly #forks = new Map<number, Waiting>();
  readonly #living = new Map<number, Living>();
  #nextToken = 1;
  #ended: ZygoteError | undefined;
  readonly gone: Promise<void>;

  static async start(
    program: string,
    flags: readonly string[],
    options: ZygoteOptions,
  ): Promise<ZygoteProcess> {
    const [ours, theirs] = socketpair('seqpacket');
    const file = fileURLToPath(import.meta.resolve(program));
    const nodePath = options.nodePath ?? process.execPath;
    const protect = options.readOnlyBinary ?? true;
    let child: ChildProcess;
    let selfTest = options.selfTest ?? 'quick';
    const tested = [nodePath, ...flags].join('\0');
    if (fullyTested.has(tested)) selfTest = 'quick';
    try {
      using binary = protect ? await protectedNodeBinary(nodePath) : plainNodeBinary(nodePath);
      const settings: ZygoteSettings = {
        selfTest,
        cloneBinary: binary.cloneInZygote,
        watchdogMs: options.watchdogMs ?? defaultSettings.watchdogMs,
      };
      child = spawn(
        binary.path,
        [...flags, file, koffiModulePath() ?? '', JSON.stringify(settings)],
        {
          // For process lists.
          argv0: binary.name,
          // An empty environment: NODE_OPTIONS and its kin must not reach it, nor secrets of ours.
          env: {},
          cwd: '/',
          // Its own session: a terminal's signals are for the user's program, not for it.
          detached: true,
          // No stream of this process's either: it may be closed, or waited on for its end.
          stdio: ['ignore', 'ignore', 'pipe', theirs.fd, 'pipe'],
        },
      );
    } catch (error) {
      ours.close();
      throw error;
    } finally {
      theirs.close();
    }
    const zygote = new ZygoteProcess(child, new SeqpacketSocket(ours));
    try {
      await zygote.#becomeReady(options.timeoutMs ?? defaultTimeoutMs);
    } catch (error) {
      await zygote.close();
      throw error;
    }
    if (selfTest === 'full') fullyTested.add(tested);
    return zygote;
  }

  #ready: { resolve(): void; reject(error: ZygoteError): void } | undefined;

  private constructor(child: ChildProcess, requests: SeqpacketSocket) {
    this.#process = child;
    this.#requests = requests;
    this.#events = child.stdio[4] as Socket;
    this.#said = new Utterances(child.stderr as Socket);
    this.gone = new Promise((resolve) => {
      child.once('error', (cause) => this.#end(null, null, cause, resolve));
      child.once('exit', (code, signal) => {
        // What it said comes through a pipe, and may be behind the news of its end.
        void this.#said.complete().then(() => this.#end(code, signal, undefined, resolve));
      });
    });
    const lines = createInterface({ input: this.#events, crlfDelay: Infinity });
    lines.on('line', (line) => this.#take(JSON.parse(line) as ZygoteEvent));
    // Its end is told by the process's own exit; a reset stream adds nothing.
    this.#events.on('error', () => undefined);
  }

  async #becomeReady(timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ready = { resolve, reject };
    if (this.#ended !== undefined) reject(this.#ended);
    const timer = setTimeout(() => {
      reject(
        new ZygoteError(`the zygote was not ready after ${timeoutMs} ms`, {
          hint: 'The machine may be overloaded; allow a longer timeoutMs.',
        }),
      );
    }, timeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#ready = undefined;
    }
    this.#holdEventLoopWhileBusy();
  }

  async fork(forkRequest: ForkRequest): Promise<ForkedChild> {
    const { cloneFlags, fds, cgroup, joins = [], joinedBy, pidNamespace, signal } = forkRequest;
    if (this.#ended !== undefined) throw this.#ended;
    const token = this.#nextToken++;
    const { preserved = [], ...single } = fds;
    const named = [
      ...Object.entries(single),
      ...preserved.map((fd) => ['preserved', fd] as const),
      ...joins.map(({ fd }) => ['join', fd] as const),
      ...(pidNamespace === undefined ? [] : [['pidNamespace', pidNamespace] as const]),
      ...(cgroup === undefined ? [] : [['cgroup', cgroup] as const]),
    ];
    // Numbers only when the packet leaves: until then an owner may close one, and another get its number.
    const borrowed = named.map(([, fd]) => fd);
    for (const fd of borrowed) fdNumber(fd);
    const request: ZygoteRequest = {
      op: 'fork',
      token,
      cloneFlags,
      roles: named.map(([role]) => role as DescriptorRole),
      undumpable: forkRequest.undumpable ?? false,
      oomScoreAdj: forkRequest.oomScoreAdj,
      ...(joinedBy === 'entry' ? { entry: joins.map(toJoin) } : {}),
    };

    const { promise, resolve, reject } = Promise.withResolvers<number>();
    // It may be rejected while the request is still being sent; then the send says why.
    promise.catch(() => undefined);
    this.#forks.set(token, { resolve, reject });
    this.#holdEventLoopWhileBusy();
    try {
      await this.#send(request, borrowed, signal);
    } catch (cause) {
      this.#forks.delete(token);
      this.#holdEventLoopWhileBusy();
      // Its socket is closed, so its end is about to be reported; that says more than EPIPE does.
      if (isSyscallError(cause, 'EPIPE') || isSyscallError(cause, 'ECONNRESET')) await this.gone;
      throw this.#ended ?? cause;
    }
    const giveUp = (): void => {
      if (!this.#forks.has(token)) return;
      this.#forks.set(token, { resolve: () => this.#discard(token), reject: () => undefined });
      reject(signal!.reason as Error);
    };
    if (signal?.aborted === true) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
    const pid = await promise.finally(() => signal?.removeEventListener('abort', giveUp));
    const { pidfd, ended } = this.#living.get(token)!;
    return {
      pid,
      pidfd,
      ended: ended.promise,
      reap: () => this.#reap(token),
      forget: () => this.#abandon(token),
    };
  }

  async close(): Promise<void> {
    this.#requests.close();
    // Idle it does not hold the event loop, which would end under whoever awaits this.
    this.#process.ref();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.gone;
    this.#events.destroy();
    this.#said.close();
  }

  async #send(
    request: ZygoteRequest,
    fds: readonly FdLike[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#requests.send(Buffer.from(JSON.stringify(request)), fds, { signal });
  }

  async #reap(token: number): Promise<void> {
    const living = this.#living.get(token);
    if (living === undefined) return;
    if (this.#ended === undefined) {
      // One that is gone reaps nothing; its own parent's subreaper or init does. See #end.
      await this.#send({ op: 'reap', token }).catch(() => this.gone);
      await living.reaped.promise;
    }
    this.#forget(token);
  }

  /** A child that came when nobody waited for it any more. */
  #discard(token: number): void {
    const { pidfd } = this.#living.get(token)!;
    signalProcess(pidfd, 'SIGKILL');
    pidfd.close();
    this.#abandon(token);
  }

  /** A zygote that is gone, or about to be, has nothing to keep. */
  #abandon(token: number): void {
    if (!this.#living.has(token)) return;
    this.#forget(token);
    if (this.#ended === undefined) this.#send({ op: 'forget', token }).catch(() => undefined);
  }

  #forget(token: number): void {
    this.#living.delete(token);
    this.#holdEventLoopWhileBusy();
  }

  #take(event: ZygoteEvent): void {
    switch (event.event) {
      case 'ready':
        return this.#ready?.resolve();
      case 'unfit':
        return this.#ready?.reject(
          new ZygoteError(`this Node cannot be forked: ${event.reason}`, {
            unfit: true,
            hint: fitNodeHint,
          }),
        );
      case 'forked':
        return this.#takeForked(event.token, event.pid);
      case 'failed': {
        const { failure, token } = event;
        this.#forks.get(token)?.reject(reportedFailure(failure, failure.message));
        this.#forks.delete(token);
        return this.#holdEventLoopWhileBusy();
      }
      case 'exited':
        return this.#living.get(event.token)?.ended.resolve(decodeWaitStatus(event.status));
      case 'reaped':
        return this.#living.get(event.token)?.reaped.resolve();
    }
  }

  /** The pidfd was sent before its announcement, so it is there. */
  #takeForked(token: number, pid: number): void {
    const waiting = this.#forks.get(token);
    this.#forks.delete(token);
    const packet = this.#requests.tryReceive({ maxFds: 1 });
    const pidfd = packet === NOTHING_YET ? undefined : packet?.fds[0];
    if (pidfd === undefined) {
      waiting?.reject(new ZygoteError('the zygote announced a pidfd and sent none'));
      return;
    }
    const ended = Promise.withResolvers<WaitStatus>();
    // Whoever forgets the child does not look at this promise any more.
    ended.promise.catch(() => undefined);
    this.#living.set(token, { pidfd, ended, reaped: Promise.withResolvers() });
    waiting?.resolve(pid);
  }

  #end(code: number | null, signal: string | null, cause: unknown, resolve: () => void): void {
    const why = cause === undefined ? `ended with ${code ?? signal}` : 'could not be started';
    const said = this.#said.text === '' ? '' : `; it said: ${this.#said.text}`;
    this.#ended = new ZygoteError(`the zygote ${why}${said}`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'The next launch starts another one. If it keeps ending, look into the kernel log for an out-of-memory kill.',
      ...(code === null ? {} : { exitCode: code }),
    });
    this.#ready?.reject(this.#ended);
    this.#requests.close();
    for (const waiting of this.#forks.values()) waiting.reject(this.#ended);
    this.#forks.clear();
    for (const living of this.#living.values()) {
      // An orphan now: whoever inherited it reaps it, and its pidfd keeps the status from then on.
      living.reaped.resolve();
      statusOfOrphan(living.pidfd).then(living.ended.resolve, living.ended.reject);
    }
    resolve();
  }

  /** A zygote that has nothing to tell must not keep its user's program from ending. */
  #holdEventLoopWhileBusy(): void {
    const busy = this.#forks.size > 0 || this.#living.size > 0;
    if (busy) {
      this.#process.ref();
      this.#events.ref();
    } else {
      this.#process.unref();
      this.#events.unref();
    }
  }
}

const toJoin = ({ flags, name }: { flags: number; name: string }): NamespaceToJoin => ({
  flags,
  name: name.slice(0, maxNameLength),
});

async function statusOfOrphan(pidfd: OwnedFd): Promise<WaitStatus> {
  await waitPidfd(pidfd, { until: 'reaped' });
  const { exit } = pidfdInfo(pidfd);
  if (exit === undefined)
    throw new UnknownExitError('the zygote died and this kernel keeps no exit status');
  return exit;
}
