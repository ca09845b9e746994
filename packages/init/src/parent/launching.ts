import { constants } from 'node:fs';
import {
  openFd,
  type OwnedFd,
  pidfdSendSignal,
  socketpair,
  SyncSocket,
  isSyscallError,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import {
  EndOfSyncError,
  expectSync,
  isPeerInitError,
  peerInitError,
  type SyncChannel,
  type SyncType,
  UnexpectedTypeError,
} from '@pilotlight/sync';
import { createCgroup, enterCgroup, removeCgroup } from '../cgroup/cgroup.ts';
import { ChildDiedError } from '../errors.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import type { LaunchOptions } from './launch.ts';
import { childFailure, parentFailure } from './launch-error.ts';
import { PhaseClock } from './phases.ts';
import { sendConfig } from './send-config.ts';
import { defaultStdio, openStdio, type Stdio } from './stdio.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

/** SIGBUS, SIGSEGV, SIGILL, SIGTRAP: how a child ends whose memory did not survive the fork. */
const crashSignals = [7, 11, 4, 5];

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
    try {
      if (this.plan.cgroup !== undefined) {
        await createCgroup(this.plan.cgroup);
        this.clock.mark('cgroup');
      }
      this.#stdio = this.#openStreams();
      await this.#forkAndConfigure().catch((error: unknown) => this.#retryAfterCrash(error));
      // Every copy but the child's own is closed, so that its end is ours.
      this.#stdio.closeChildEnds();
      // No hooks: the configuration was refused if it had any.
      await this.#sync!.send({ type: 'procHooksDone', flags: 0 });
      await this.#await('procReady');
      this.clock.mark('pivot and restrict');
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  /** Opens the gate, and waits for the end of file that execve(2) makes. */
  async run(): Promise<void> {
    this.clock.skip();
    try {
      await this.#sync!.send({ type: 'procRun', flags: 0 });
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
    const [ourInit, theirInit] = socketpair('stream');
    const [ourSync, theirSync] = socketpair('seqpacket');
    this.#sync = new SyncSocket(ourSync);
    const [stdin, stdout, stderr] = this.#stdio!.fds;
    const { consoleSocket } = this.#options;
    const { directories } = this.plan.cgroup ?? { directories: [] };
    // With v2 alone the child starts in its cgroup, and nothing of it ever runs outside.
    const [only] = directories.length === 1 && directories[0]?.version === 2 ? directories : [];
    const startIn =
      only === undefined
        ? undefined
        : openFd(only.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      this.#child = await this.#zygote.fork({
        cloneFlags: this.plan.cloneFlags,
        ...(startIn === undefined ? {} : { cgroup: startIn }),
        fds: {
          stdin,
          stdout,
          stderr,
          init: theirInit,
          sync: theirSync,
          ...(consoleSocket === undefined ? {} : { console: consoleSocket }),
        },
      });
    } catch (error) {
      ourInit.close();
      throw parentFailure('fork', error);
    } finally {
      startIn?.close();
      theirInit.close();
      theirSync.close();
    }
    this.clock.mark('fork');
    try {
      // The config is what sets the child going: it must stand in its cgroup by then.
      if (this.plan.cgroup !== undefined && startIn === undefined) {
        await enterCgroup(this.plan.cgroup, this.#child.pid);
        this.clock.mark('enter cgroup');
      }
      await sendConfig(ourInit, this.plan.init, this.#options.signal);
    } finally {
      ourInit.close();
    }
    await this.#await('procHooks');
    this.clock.mark('mounts');
  }

  /**
   * A child that crashed before it said anything has done nothing yet; the crash is the one that
   * a fork can cause, so one more is tried.
   */
  async #retryAfterCrash(error: unknown): Promise<void> {
    if (!(error instanceof ChildDiedError) || !crashSignals.includes(error.status.signal ?? 0)) {
      throw error;
    }
    await this.child.reap();
    this.child.pidfd.close();
    this.#child = undefined;
    this.#sync?.close();
    await this.#forkAndConfigure();
  }

  async #await(type: SyncType): Promise<void> {
    try {
      await expectSync(this.#sync!, type, this.#signal());
      this.#reached = type;
    } catch (error) {
      if (isPeerInitError(error)) throw childFailure(error);
      if (error instanceof EndOfSyncError) throw await this.#childDied();
      throw error;
    }
  }

  /** Nothing may come any more but the end of file, or the reason why there is no program. */
  async #awaitExec(): Promise<void> {
    const received = await this.#sync!.receive(this.#signal());
    if (received === undefined) return;
    const { message, file } = received;
    file?.close();
    if (message.type !== 'procError') throw new UnexpectedTypeError(['procError'], message.type);
    throw childFailure(peerInitError(message.arg ?? ''));
  }

  async #childDied(): Promise<ChildDiedError> {
    const status: WaitStatus = await this.child.ended;
    return new ChildDiedError(this.#reached, status);
  }

  #signal(): { signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  async #fail(error: unknown): Promise<unknown> {
    try {
      await this.#cleanUp();
      return error;
    } catch (failure) {
      return new AggregateError([error, failure], 'the launch failed, and so did its clean-up');
    }
  }

  async #cleanUp(): Promise<void> {
    this.#sync?.close();
    this.#stdio?.destroy();
    if (this.#child !== undefined && !this.#reaped) {
      try {
        pidfdSendSignal(this.#child.pidfd, 'SIGKILL');
      } catch (error) {
        if (!isSyscallError(error, 'ESRCH')) throw error;
      }
      await this.#child.ended;
      await this.finish();
    } else if (this.#child === undefined) {
      await removeCgroup(this.cgroupPaths);
    }
  }
}
