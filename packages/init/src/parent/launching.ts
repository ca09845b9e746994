import { constants } from 'node:fs';
import {
  openFd,
  type OwnedFd,
  pidfdSendSignal,
  pidfdState,
  socketpair,
  SyncSocket,
  isSyscallError,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import {
  EndOfSyncError,
  expectSync,
  isPeerInitError,
  isSyncError,
  peerInitError,
  type SyncChannel,
  type SyncMessage,
  type SyncType,
  UnexpectedTypeError,
} from '@pilotlight/sync';
import { createCgroup, enterCgroup, removeCgroup } from '../cgroup/cgroup.ts';
import { ChildDiedError, LaunchError } from '../errors.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import type { LaunchOptions } from './launch.ts';
import { childFailure, parentFailure } from './launch-error.ts';
import { PhaseClock } from './phases.ts';
import { sendConfig } from './send-config.ts';
import { defaultStdio, openStdio, type Stdio } from './stdio.ts';
import { AttemptTranscript } from './transcript.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

/** SIGBUS, SIGSEGV, SIGILL, SIGTRAP: how a child ends whose memory did not survive the fork. */
const crashSignals = [7, 11, 4, 5];

const defaultTimeoutMs = 60_000;

/** What a child may ask for between two steps. */
const questionTypes = ['procMountPlease', 'procSeccomp'] as const;

/** One launch under way: who drives the child through its handshake, and cleans up when it fails. */
export class Launching {
  readonly plan: LaunchPlan;
  readonly clock: PhaseClock = new PhaseClock();
  readonly #zygote: Zygote;
  readonly #options: LaunchOptions;
  #stdio: Stdio | undefined;
  #sync: SyncChannel<OwnedFd> | undefined;
  #child: ForkedChild | undefined;
  /** The last thing the child is known to have finished. */
  #reached = 'fork';
  #reaped = false;
  #hasCgroup = false;
  #transcript: AttemptTranscript | undefined;
  #deadline: AbortSignal = AbortSignal.abort();

  constructor(plan: LaunchPlan, zygote: Zygote, options: LaunchOptions) {
    this.plan = plan;
    this.#zygote = zygote;
    this.#options = options;
  }

  get child(): ForkedChild {
    return this.#child!;
  }

  get stdio(): Stdio {
    return this.#stdio!;
  }

  get cgroupPaths(): string[] {
    return this.plan.cgroup?.directories.map((directory) => directory.path) ?? [];
  }

  /** Up to the gate: the child has said procReady and waits for procRun. */
  async prepare(): Promise<void> {
    this.clock.mark('plan');
    this.#deadline = this.#newDeadline();
    try {
      if (this.plan.cgroup !== undefined) {
        await createCgroup(this.plan.cgroup);
        this.#hasCgroup = true;
        this.clock.mark('cgroup');
      }
      this.#stdio = this.#openStreams();
      await this.#forkAndConfigure().catch((error: unknown) => this.#retryAfterCrash(error));
      // Every copy but the child's own is closed, so that its end is ours.
      this.#stdio.closeChildEnds();
      // No hooks: the configuration was refused if it had any.
      await this.#answer('procHooksDone');
      await this.#await('procReady');
      this.clock.mark('pivot and restrict');
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  /** Opens the gate, and waits for the end of file that execve(2) makes. */
  async run(): Promise<void> {
    this.clock.skip();
    this.#deadline = this.#newDeadline();
    try {
      await this.#answer('procRun');
      await this.#awaitExec();
      this.#sync!.close();
      this.clock.mark('exec');
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  async abort(): Promise<void> {
    await this.#cleanUp();
  }

  /** After the process has ended: reaped, its cgroup removed, its pidfd closed. */
  async finish(): Promise<void> {
    if (this.#reaped) return;
    this.#reaped = true;
    await this.child.reap();
    this.child.pidfd.close();
    await removeCgroup(this.cgroupPaths);
  }

  /** Leaves the process to whoever inherits it. */
  detach(): void {
    if (this.#reaped) return;
    this.#reaped = true;
    this.child.forget();
    this.child.pidfd.close();
  }

  #openStreams(): Stdio {
    // With a terminal the child replaces its streams by it; until then it has none of ours.
    return openStdio(
      this.plan.terminal ? ['ignore', 'ignore', 'ignore'] : (this.#options.stdio ?? defaultStdio),
    );
  }

  async #forkAndConfigure(): Promise<void> {
    const [ourSync, theirSync] = socketpair('seqpacket');
    const socket = new SyncSocket(ourSync);
    this.#sync = socket;
    let init: OwnedFd;
    try {
      this.#sync = await this.#tapped(socket);
      init = await this.#fork(theirSync);
    } catch (error) {
      throw parentFailure('fork', error);
    } finally {
      theirSync.close();
    }
    this.clock.mark('fork');
    try {
      // The config is what sets the child going: it must stand in its cgroup by then.
      if (this.plan.cgroup !== undefined && this.#startCgroup === undefined) {
        await enterCgroup(this.plan.cgroup, this.child.pid);
        this.clock.mark('enter cgroup');
      }
      await sendConfig(init, this.plan.init, this.#deadline);
    } finally {
      init.close();
    }
    await this.#await('procHooks');
    this.clock.mark('mounts');
  }

  async #tapped(socket: SyncSocket): Promise<SyncChannel<OwnedFd>> {
    const { transcript } = this.#options;
    if (transcript === undefined) return socket;
    this.#transcript = new AttemptTranscript(transcript);
    return this.#transcript.tap(socket);
  }

  /** @returns our end of the init socket */
  async #fork(sync: OwnedFd): Promise<OwnedFd> {
    const [stdin, stdout, stderr] = this.#stdio!.fds;
    const { consoleSocket } = this.#options;
    const [ours, init] = socketpair('stream');
    try {
      const path = this.#startCgroup;
      using cgroup =
        path === undefined ? undefined : openFd(path, constants.O_RDONLY | constants.O_DIRECTORY);
      this.#child = await this.#zygote.fork({
        cloneFlags: this.plan.cloneFlags,
        ...(cgroup === undefined ? {} : { cgroup }),
        fds: {
          stdin,
          stdout,
          stderr,
          init,
          sync,
          ...(consoleSocket === undefined ? {} : { console: consoleSocket }),
        },
      });
      return ours;
    } catch (error) {
      ours.close();
      throw error;
    } finally {
      init.close();
    }
  }

  /** With v2 alone the child starts in its cgroup, and nothing of it ever runs outside. */
  get #startCgroup(): string | undefined {
    const directories = this.plan.cgroup?.directories ?? [];
    return directories.every(({ version }) => version === 2) ? directories[0]?.path : undefined;
  }

  /**
   * A child that crashed before it said anything has done nothing yet; the crash is the one that
   * a fork can cause, so one more is tried.
   */
  async #retryAfterCrash(error: unknown): Promise<void> {
    if (!(await this.#hasCrashed(error))) throw error;
    await this.child.reap();
    this.child.pidfd.close();
    this.#child = undefined;
    this.#sync?.close();
    await this.#forkAndConfigure();
  }

  /** Also when the crash was met as something else: a process that has ended joins no cgroup. */
  async #hasCrashed(error: unknown): Promise<boolean> {
    if (error instanceof ChildDiedError) return crashSignals.includes(error.status.signal ?? 0);
    if (this.#child === undefined || pidfdState(this.child.pidfd) === 'running') return false;
    const { signal } = await this.child.ended;
    return crashSignals.includes(signal ?? 0);
  }

  async #answer(type: SyncType): Promise<void> {
    try {
      await this.#sync!.send({ type, flags: 0 });
    } catch (error) {
      // The child waits for this answer: it can only be gone because something ended it.
      if (isSyncError(error) && error.code === 'ERR_SYNC_PEER_GONE') throw await this.#childDied();
      throw error;
    }
  }

  /** Waits for one step of the child, and answers what it asks for on the way. */
  async #await(type: SyncType): Promise<void> {
    try {
      for (;;) {
        const { message, file } = await expectSync(this.#sync!, [type, ...questionTypes], {
          signal: this.#deadline,
        });
        file?.close();
        if (message.type === type) break;
        await this.#answerQuestion(message);
      }
      this.#reached = type;
      this.#transcript?.release();
    } catch (error) {
      if (isPeerInitError(error)) throw childFailure(error);
      if (error instanceof EndOfSyncError) throw await this.#childDied();
      throw error;
    }
  }

  /** A question that belongs to no step: what the child cannot do itself. */
  async #answerQuestion({ type }: SyncMessage): Promise<void> {
    throw new UnexpectedTypeError([this.#reached], type);
  }

  /** Nothing may come any more but questions and the end of file, or the reason why there is no program. */
  async #awaitExec(): Promise<void> {
    for (;;) {
      const received = await this.#sync!.receive({ signal: this.#deadline });
      if (received === undefined) return;
      const { message, file } = received;
      file?.close();
      if (message.type === 'procError') throw childFailure(peerInitError(message.arg ?? ''));
      await this.#answerQuestion(message);
    }
  }

  async #childDied(): Promise<ChildDiedError> {
    // It hung up, so it is ending; if it were not, nobody would ever learn of it.
    this.#kill();
    const status: WaitStatus = await this.child.ended;
    return new ChildDiedError(this.#reached, status);
  }

  /** The caller's signal, and an end of patience with a child that neither goes on nor says why. */
  #newDeadline(): AbortSignal {
    const { signal, timeoutMs = defaultTimeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  }

  #kill(): void {
    try {
      pidfdSendSignal(this.child.pidfd, 'SIGKILL');
    } catch (error) {
      if (!isSyscallError(error, 'ESRCH')) throw error;
    }
  }

  async #fail(error: unknown): Promise<unknown> {
    const failure = this.#isTimeout(error) ? this.#timeoutFailure(error) : error;
    this.#transcript?.release();
    try {
      await this.#cleanUp();
      return failure;
    } catch (second) {
      return new AggregateError([failure, second], 'the launch failed, and so did its clean-up');
    }
  }

  #isTimeout(error: unknown): boolean {
    return (
      error instanceof DOMException &&
      error.name === 'TimeoutError' &&
      this.#deadline.reason === error &&
      this.#options.signal?.reason !== error
    );
  }

  #timeoutFailure(cause: unknown): LaunchError {
    const { timeoutMs = defaultTimeoutMs } = this.#options;
    return new LaunchError({
      step: this.#reached,
      message: `the child made no progress within ${timeoutMs} ms after step "${this.#reached}"`,
      cause,
      hint: 'A mount or a file that does not answer can hold it; allow a longer timeoutMs if it only needs time.',
    });
  }

  async #cleanUp(): Promise<void> {
    this.#sync?.close();
    this.#stdio?.destroy();
    if (this.#child !== undefined && !this.#reaped) {
      this.#kill();
      await this.#child.ended;
      await this.finish();
    } else if (this.#child === undefined && this.#hasCgroup) {
      await removeCgroup(this.cgroupPaths);
    }
  }
}
