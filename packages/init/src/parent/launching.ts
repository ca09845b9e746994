import { constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  openFd,
  type OwnedFd,
  pidfdState,
  socketpair,
  SyncSocket,
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
import { readCgroupCounters } from '../cgroup/counters.ts';
import type { ProcessConfig } from '../config/init-config.ts';
import { ProcessTree } from '../end/process-tree.ts';
import { signalProcess } from '../end/signal-process.ts';
import { ChildDiedError, LaunchError } from '../errors.ts';
import { type PlannedHook, totalTimeoutMs } from '../plan/hooks.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import type { ChildPlan } from '../plan/plan-process.ts';
import type { LaunchOptions } from './launch.ts';
import { answerSeccomp } from './answer-seccomp.ts';
import { childFailure, completeFailure, parentFailure } from './launch-error.ts';
import { HandshakeRecord } from './handshake-record.ts';
import { PhaseClock } from './phases.ts';
import { programFds } from './program-fds.ts';
import type { ResourceGroups } from './resource-groups.ts';
import { sendConfig } from './send-config.ts';
import { defaultStdio, openStdio, type Stdio } from './stdio.ts';
import { AttemptTranscript, type HandshakeChannel } from './transcript.ts';
import type { HookOptions, Undertaking } from './undertaking.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

/** SIGBUS, SIGSEGV, SIGILL, SIGTRAP: how a child ends whose memory did not survive the fork. */
const crashSignals = [7, 11, 4, 5];
const SIGKILL = 9;

const defaultLaunchTimeoutMs = 60_000;
/** What a timer can wait; more would be none at all. */
const longestTimeoutMs = 0x7fff_ffff;

/** How long a child may take to end its hook once its parent has hung up. */
const hookEndMs = 2000;

/** What a child may ask for between two steps. */
const questionTypes = ['procMountPlease', 'procSeccomp'] as const;

/** One launch under way: who drives the child through its handshake, and cleans up when it fails. */
export class Launching {
  readonly clock: PhaseClock;
  readonly #undertaking: Undertaking;
  readonly #zygote: Zygote;
  readonly #options: LaunchOptions;
  #stdio: Stdio | undefined;
  #sync: HandshakeChannel | undefined;
  #child: ForkedChild | undefined;
  /** The last thing the child is known to have finished. */
  #reached = 'fork';
  #reaped = false;
  #finished: Promise<void> = Promise.resolve();
  #runs = false;
  #transcript: AttemptTranscript | undefined;
  /** Of the last attempt. */
  #record: HandshakeRecord | undefined;
  #deadline: AbortSignal = AbortSignal.abort();

  constructor(undertaking: Undertaking, zygote: Zygote, options: LaunchOptions) {
    this.#undertaking = undertaking;
    this.clock = new PhaseClock(undertaking.plan.id);
    this.#zygote = zygote;
    this.#options = options;
  }

  get plan(): ChildPlan {
    return this.#undertaking.plan;
  }

  get groups(): ResourceGroups {
    return this.#undertaking.groups;
  }

  get child(): ForkedChild {
    return this.#child!;
  }

  get stdio(): Stdio {
    return this.#stdio!;
  }

  /** Up to the gate: the child has said procReady and waits for procRun. */
  async prepare(): Promise<void> {
    this.clock.mark('plan');
    this.#deadline = this.#newDeadline();
    try {
      if (await this.groups.create()) this.clock.mark('cgroup');
      this.#stdio = this.#openStreams();
      await this.#forkAndConfigure().catch((error: unknown) => this.#retryAfterCrash(error));
      // Every copy but the child's own is closed, so that its end is ours.
      this.#stdio.closeChildEnds();
      if (this.#undertaking.hooks !== undefined) await this.#letHooksRun(this.#undertaking.hooks);
      this.clock.mark('pivot and restrict');
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  /** Opens the gate, and waits for the end of file that execve(2) makes. */
  async run(): Promise<void> {
    this.clock.skip();
    const { hooks } = this.#undertaking;
    this.#deadline = this.#newDeadline(hooks?.planned?.startContainer);
    try {
      await this.#undertaking.beforeRun?.(this.child);
      await this.#answer('procRun');
      await this.#awaitExec();
      this.#sync!.close();
      this.#runs = true;
      this.clock.mark('exec');
      if (await hooks?.afterExec(this.child, this.#hookOptions)) this.clock.mark('poststart');
      this.clock.finish('end', { pid: this.child.pid });
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  async abort(): Promise<void> {
    await this.#cleanUp();
    this.clock.finish('abort');
  }

  /** After the process has ended: reaped, its cgroup removed, its pidfd closed; then its `poststop` hooks. */
  finish(poststop = true): Promise<void> {
    if (this.#reaped) return this.#finished;
    this.#reaped = true;
    this.#finished = this.#finish(poststop);
    return this.#finished;
  }

  async #finish(poststop: boolean): Promise<void> {
    await this.child.reap();
    this.child.pidfd.close();
    await this.groups.release();
    if (poststop)
      await this.#undertaking.hooks?.afterEnd(this.#hookOptions, this.#options.onWarning);
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
      this.#options.maxOutputBytes,
    );
  }

  async #forkAndConfigure(): Promise<void> {
    const [ourSync, theirSync] = socketpair('seqpacket');
    const socket = new SyncSocket(ourSync);
    this.#sync = socket;
    let init: OwnedFd;
    try {
      this.#record = new HandshakeRecord();
      this.#sync = this.#record.tap(await this.#tapped(socket));
      init = await this.#fork(theirSync);
    } catch (error) {
      throw parentFailure('fork', error);
    } finally {
      theirSync.close();
    }
    this.clock.mark('fork');
    try {
      // The config is what sets the child going: whatever it relies on must be done by then.
      const config: ProcessConfig = await this.#undertaking.readyChild(this.child, this.clock);
      if (await this.groups.enter(this.child.pid)) this.clock.mark('enter cgroup');
      await sendConfig(init, config, this.#deadline);
    } finally {
      init.close();
    }
    const hasHooks = this.#undertaking.hooks !== undefined;
    await this.#await(hasHooks ? 'procHooks' : 'procReady');
    if (hasHooks) this.clock.mark('mounts');
  }

  async #tapped(socket: SyncSocket): Promise<HandshakeChannel> {
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
      const path = this.groups.birthplace;
      using cgroup =
        path === undefined ? undefined : openFd(path, constants.O_RDONLY | constants.O_DIRECTORY);
      using namespaces = this.#undertaking.openNamespaces();
      this.#child = await this.#zygote.fork({
        cloneFlags: this.plan.cloneFlags,
        undumpable: this.plan.undumpable,
        oomScoreAdj: this.plan.entryOomScoreAdj,
        signal: this.#deadline,
        ...namespaces.request,
        ...(cgroup === undefined ? {} : { cgroup }),
        fds: {
          stdin,
          stdout,
          stderr,
          init,
          sync,
          ...(consoleSocket === undefined ? {} : { console: consoleSocket }),
          preserved: programFds(this.#options),
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

  /**
   * A child that crashed before it said anything has done nothing yet; the crash is the one that
   * a fork can cause, so one more is tried; unless something of the host was given to the first.
   */
  async #retryAfterCrash(error: unknown): Promise<void> {
    if (!(await this.#hasCrashed(error)) || !this.#undertaking.isRepeatable) throw error;
    await this.child.reap();
    this.child.pidfd.close();
    this.#child = undefined;
    this.#sync?.close();
    await this.groups.leave();
    await this.#forkAndConfigure();
  }

  /** The container is set up, and its first process has not left the host's root yet. */
  async #letHooksRun(hooks: NonNullable<Undertaking['hooks']>): Promise<void> {
    if (await hooks.beforePivot(this.child, this.#hookOptions)) {
      this.clock.mark('hooks');
      // What they took is not the child's fault, and its own hooks may take their time as well.
      this.#deadline = this.#newDeadline(hooks.planned?.createContainer);
    }
    await this.#answer('procHooksDone');
    await this.#await('procReady');
  }

  get #hookOptions(): HookOptions {
    const { launchTimeoutMs = defaultLaunchTimeoutMs } = this.#options;
    return { signal: this.#callersSignal, defaultTimeoutMs: launchTimeoutMs };
  }

  /** Aborted when the caller wants the launch to end. */
  get #callersSignal(): AbortSignal | undefined {
    const { signal, launchSignal } = this.#options;
    if (signal === undefined || launchSignal === undefined) return signal ?? launchSignal;
    return AbortSignal.any([signal, launchSignal]);
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
    const channel: SyncChannel<OwnedFd> = this.#sync!;
    try {
      for (;;) {
        const { message, file } = await expectSync(channel, [type, ...questionTypes], {
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
  async #answerQuestion(message: SyncMessage): Promise<void> {
    const { type, arg = '' } = message;
    const { seccompAgent: agent } = this.plan;
    if (type === 'procSeccomp' && agent !== undefined) {
      return answerSeccomp({
        message,
        child: this.child,
        container: this.#undertaking.containerOf(this.child),
        agent,
        acknowledge: () => this.#answer('procSeccompDone'),
        signal: this.#deadline,
      });
    }
    const { answerMountPlease } = this.#undertaking;
    if (type !== 'procMountPlease' || answerMountPlease === undefined) {
      throw new UnexpectedTypeError([this.#reached], type);
    }
    const answer = await answerMountPlease(arg, this.#zygote);
    using tree = answer.tree;
    await this.#sync!.send(
      { type: 'procMountFd', flags: 1, arg: answer.arg },
      { name: answer.name, fd: tree },
    );
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
    signalProcess(this.child.pidfd, 'SIGKILL');
    const status: WaitStatus = await this.child.ended;
    const { made } = this.groups;
    // Before the clean-up removes the cgroup that has counted it.
    const { oomKill } = await readCgroupCounters(status.signal === SIGKILL ? made : []);
    return new ChildDiedError(this.#reached, status, oomKill > 0n);
  }

  /** The caller's signals, and an end of patience with a child that neither goes on nor says why. */
  #newDeadline(childHooks: readonly PlannedHook[] = []): AbortSignal {
    const { launchTimeoutMs = defaultLaunchTimeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(
      Math.min(launchTimeoutMs + totalTimeoutMs(childHooks), longestTimeoutMs),
    );
    const callers = this.#callersSignal;
    return callers === undefined ? timeout : AbortSignal.any([callers, timeout]);
  }

  async #fail(error: unknown): Promise<unknown> {
    const failed = await this.#undo(error);
    this.clock.finish('error', { error: failed });
    return failed;
  }

  async #undo(error: unknown): Promise<unknown> {
    const failure = this.#isTimeout(error) ? this.#timeoutFailure(error) : this.#named(error);
    this.#transcript?.release();
    try {
      await this.#cleanUp();
      const { cloneFlags } = this.plan;
      return await completeFailure(failure, { record: this.#record, cloneFlags });
    } catch (second) {
      return new AggregateError([failure, second], 'the launch failed, and so did its clean-up');
    }
  }

  #isTimeout(error: unknown): boolean {
    return (
      error instanceof DOMException &&
      error.name === 'TimeoutError' &&
      this.#deadline.reason === error &&
      this.#options.signal?.reason !== error &&
      this.#options.launchSignal?.reason !== error
    );
  }

  /** A system call of ours gets the step that it failed in; what the caller aborted with stays as it is. */
  #named(error: unknown): unknown {
    return error === this.#deadline.reason ? error : parentFailure(this.#reached, error);
  }

  #timeoutFailure(cause: unknown): LaunchError {
    const { launchTimeoutMs = defaultLaunchTimeoutMs } = this.#options;
    return new LaunchError({
      step: this.#reached,
      message: `the child made no progress within ${launchTimeoutMs} ms after step "${this.#reached}"`,
      cause,
      hint: 'A mount or a file that does not answer can hold it; allow a longer launchTimeoutMs if it only needs time.',
    });
  }

  /** We have hung up: the child kills its hook and ends, or is about to do so. */
  async #letHooksEnd(): Promise<void> {
    const patience = new AbortController();
    const over = sleep(hookEndMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#child!.ended.catch(() => undefined), over]);
    patience.abort();
  }

  /** What was started by this launch, to be killed as a whole. */
  processTree(): ProcessTree {
    return new ProcessTree({
      id: this.plan.id,
      pidfd: this.child.pidfd,
      ownsPidNamespace: (this.plan.cloneFlags & CLONE_NEWPID) !== 0,
      cgroupPaths: this.groups.paths,
    });
  }

  async #cleanUp(): Promise<void> {
    this.#sync?.close();
    this.#stdio?.destroy();
    if (this.#child === undefined) return this.groups.release();
    if (this.#reaped) return;
    // One that would outlive the child.
    if (!this.#runs && this.#undertaking.hooks?.mayOutliveChild === true) await this.#letHooksEnd();
    const tree = this.processTree();
    tree.kill();
    // A status that is lost, because the zygote is, does not matter here.
    await this.#child.ended.catch(() => undefined);
    await tree.killed();
    await this.finish();
  }
}
