import { constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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
import type { InitConfig } from '../config/init-config.ts';
import { ChildDiedError, LaunchError } from '../errors.ts';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import { type PlannedHook, totalTimeoutMs } from '../plan/hooks.ts';
import { withoutOwnCgroup } from '../plan/cgroup-mounts.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import { answerMountPlease } from './answer-mount-please.ts';
import type { LaunchOptions } from './launch.ts';
import { answerSeccomp } from './answer-seccomp.ts';
import { childFailure, completeFailure, parentFailure } from './launch-error.ts';
import { HandshakeRecord } from './handshake-record.ts';
import { runHooks, runPlannedPoststop } from './hooks/launch-hooks.ts';
import { moveNetDevices } from './net-devices.ts';
import { PhaseClock } from './phases.ts';
import { openNamespaces } from './open-namespaces.ts';
import { programFds } from './program-fds.ts';
import { OwnGroups, type ResourceGroups } from './resource-groups.ts';
import { sendConfig } from './send-config.ts';
import { defaultStdio, openStdio, type Stdio } from './stdio.ts';
import { AttemptTranscript, type HandshakeChannel } from './transcript.ts';
import { writeIdMaps } from './write-id-maps.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

/** SIGBUS, SIGSEGV, SIGILL, SIGTRAP: how a child ends whose memory did not survive the fork. */
const crashSignals = [7, 11, 4, 5];

const defaultLaunchTimeoutMs = 60_000;
/** What a timer can wait; more would be none at all. */
const longestTimeoutMs = 0x7fff_ffff;

/** How long a child may take to end its hook once its parent has hung up. */
const hookEndMs = 2000;

/** What a child may ask for between two steps. */
const questionTypes = ['procMountPlease', 'procSeccomp'] as const;

/** One launch under way: who drives the child through its handshake, and cleans up when it fails. */
export class Launching {
  #plan: LaunchPlan;
  readonly clock: PhaseClock;
  readonly groups: ResourceGroups;
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

  constructor(plan: LaunchPlan, zygote: Zygote, options: LaunchOptions) {
    this.#plan = plan;
    this.clock = new PhaseClock(plan.id);
    this.groups = new OwnGroups(plan);
    this.#zygote = zygote;
    this.#options = options;
  }

  get plan(): LaunchPlan {
    return this.#plan;
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
      this.#goOnWithoutCgroup();
      this.#stdio = this.#openStreams();
      await this.#forkAndConfigure().catch((error: unknown) => this.#retryAfterCrash(error));
      // Every copy but the child's own is closed, so that its end is ours.
      this.#stdio.closeChildEnds();
      await this.#runRuntimeHooks();
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
    this.#deadline = this.#newDeadline(this.plan.hooks?.startContainer);
    try {
      await this.#answer('procRun');
      await this.#awaitExec();
      this.#sync!.close();
      this.#runs = true;
      this.clock.mark('exec');
      await this.#runPoststart();
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
    if (poststop) await this.#runPoststop();
  }

  /** Leaves the process to whoever inherits it. */
  detach(): void {
    if (this.#reaped) return;
    this.#reaped = true;
    this.child.forget();
    this.child.pidfd.close();
  }

  /** Whoever may make no cgroup has mounts all the same that show one. */
  #goOnWithoutCgroup(): void {
    const { cgroup, init } = this.#plan;
    if (cgroup === undefined) return;
    const { paths } = this.groups;
    if (cgroup.directories.every(({ path }) => paths.includes(path))) return;
    this.#plan = { ...this.#plan, init: { ...init, mounts: withoutOwnCgroup(init.mounts) } };
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
      if (this.plan.idMaps !== undefined) {
        await writeIdMaps(this.child.pid, this.plan.idMaps);
        this.clock.mark('id maps');
      }
      // The config is what sets the child going: it must stand in its cgroup by then.
      if (await this.groups.enter(this.child.pid)) this.clock.mark('enter cgroup');
      await sendConfig(init, await this.#finishedConfig(), this.#deadline);
    } finally {
      init.close();
    }
    await this.#await('procHooks');
    this.clock.mark('mounts');
  }

  /** With what only shows once the child is there. */
  async #finishedConfig(): Promise<InitConfig> {
    const { init, netDevices } = this.plan;
    if (netDevices === undefined) return init;
    const moved = await moveNetDevices(netDevices, this.child.pid);
    this.clock.mark('net devices');
    return { ...init, netDevices: moved };
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
      using namespaces = openNamespaces(this.plan);
      this.#child = await this.#zygote.fork({
        cloneFlags: this.plan.cloneFlags,
        undumpable: this.plan.undumpable,
        oomScoreAdj: this.plan.entryOomScoreAdj,
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

  /** The container is set up and has not left the host's root yet; runtime.md, Lifecycle, steps 3 and 4. */
  async #runRuntimeHooks(): Promise<void> {
    const { hooks } = this.plan;
    if (hooks === undefined) return;
    const state = { status: 'creating', pid: this.child.pid } as const;
    await runHooks(hooks, 'prestart', state, this.#hookOptions);
    await runHooks(hooks, 'createRuntime', state, this.#hookOptions);
    this.clock.mark('hooks');
    // What they took is not the child's fault, and its own hooks may take their time as well.
    this.#deadline = this.#newDeadline(hooks.createContainer);
  }

  /** The program runs: a hook that fails now ends it; runtime.md, Lifecycle, step 9. */
  async #runPoststart(): Promise<void> {
    const { hooks } = this.plan;
    if (hooks === undefined || hooks.poststart.length === 0) return;
    const state = { status: 'running', pid: this.child.pid } as const;
    await runHooks(hooks, 'poststart', state, this.#hookOptions);
    this.clock.mark('poststart');
  }

  /** Nothing of the container is left; not even an aborted launch spares itself these. */
  async #runPoststop(): Promise<void> {
    const { hooks } = this.plan;
    if (hooks === undefined) return;
    const { onWarning } = this.#options;
    await runPlannedPoststop(hooks, { ...this.#hookOptions, signal: undefined, onWarning });
  }

  get #hookOptions(): { signal: AbortSignal | undefined; defaultTimeoutMs: number } {
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
    const { id, seccompAgent: agent } = this.plan;
    if (type === 'procSeccomp' && agent !== undefined) {
      return answerSeccomp({
        message,
        child: this.child,
        container: { id, pid: this.child.pid, status: 'creating' },
        agent,
        acknowledge: () => this.#answer('procSeccompDone'),
        signal: this.#deadline,
      });
    }
    if (type !== 'procMountPlease') throw new UnexpectedTypeError([this.#reached], type);
    const answer = await answerMountPlease(arg, this.plan, this.#zygote);
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
    this.#kill();
    const status: WaitStatus = await this.child.ended;
    return new ChildDiedError(this.#reached, status);
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

  #kill(): void {
    try {
      pidfdSendSignal(this.child.pidfd, 'SIGKILL');
    } catch (error) {
      if (!isSyscallError(error, 'ESRCH')) throw error;
    }
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

  /** Whether the child may be running a hook that would outlive it; in a pid namespace of its own none does. */
  get #mayRunHooks(): boolean {
    const { cloneFlags, init } = this.plan;
    return init.hooks !== undefined && (cloneFlags & CLONE_NEWPID) === 0 && !this.#runs;
  }

  /** We have hung up: the child kills its hook and ends, or is about to do so. */
  async #letHooksEnd(): Promise<void> {
    const patience = new AbortController();
    const over = sleep(hookEndMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#child!.ended, over]);
    patience.abort();
  }

  async #cleanUp(): Promise<void> {
    this.#sync?.close();
    this.#stdio?.destroy();
    if (this.#child !== undefined && !this.#reaped) {
      if (this.#mayRunHooks) await this.#letHooksEnd();
      this.#kill();
      await this.#child.ended;
      await this.finish();
    } else if (this.#child === undefined) await this.groups.release();
  }
}
