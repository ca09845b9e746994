// The zygote: a small process that forks children on request and reaps them. It runs no event
// loop, so nothing asynchronous can ever be under way when it forks; it waits in epoll_wait(2).
import { isSyscallError } from '@pilotlight/scm-rights';
import {
  close,
  epollCreate,
  epollCtl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLIN,
  epollWait,
  loadLibc,
  pidfdSendSignal,
  recvmsg,
  sendmsg,
  waitid,
  WNOHANG,
  WNOWAIT,
} from '@pilotlight/scm-rights/libc';
import { resetCpuAffinity } from '../child/cpu-affinity.ts';
import { describeFailure } from '../child/step-failure.ts';
import { createLinuxSyscall } from '../syscall/linux.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { goOnFromClone } from './clone-binary.ts';
import { type Entry, EntryFailure, startEntry, takeEntryReport } from './entry.ts';
import { forkChild, withDumpable } from './fork-child.ts';
import { createForker, type Fork, type Forker } from './forker.ts';
import { keepMemoryPrivate } from './isolation.ts';
import {
  defaultSettings,
  EVENT_FD,
  type ForkRequestPacket,
  maxRequestBytes,
  REQUEST_FD,
  sortDescriptors,
  type ZygoteEvent,
  type ZygoteRequest,
  type ZygoteSettings,
} from './protocol.ts';
import { selfTest } from './self-test.ts';
import { wakeEventLoop } from './wake-event-loop.ts';
import { warmUpChild } from './warm-up.ts';
import { childProgress, Watchdog } from './watchdog.ts';

const maxEvents = 64;
const SIGKILL = 9;
/** Nobody changes it, so that waiting for it is sleeping. */
const never = new Int32Array(new SharedArrayBuffer(4));
/** Marks the request socket in the epoll set; the others are marked by their token, which starts at 1. */
const REQUESTS = 0n;
const exitOf = (token: number): bigint => BigInt(token) * 2n;
const reportOf = (token: number): bigint => BigInt(token) * 2n + 1n;
const isReport = (data: bigint): boolean => (data & 1n) === 1n;
const tokenOf = (data: bigint): number => Number(data >> 1n);

type Child = { pidfd: number; hasEnded: boolean; isForgotten: boolean };

class ZygoteLoop {
  readonly #sys: Syscall;
  readonly #forker: Forker;
  readonly #epoll: number = epollCreate();
  readonly #children = new Map<number, Child>();
  readonly #entries = new Map<number, Entry>();
  readonly #packet = Buffer.alloc(maxRequestBytes);
  readonly #watchdog: Watchdog;

  constructor(sys: Syscall, forker: Forker, watchdog: Watchdog) {
    this.#sys = sys;
    this.#forker = forker;
    this.#watchdog = watchdog;
    epollCtl(this.#epoll, EPOLL_CTL_ADD, REQUEST_FD, { events: EPOLLIN, data: REQUESTS });
  }

  /** Until the parent hangs up. */
  run(): void {
    for (;;) {
      for (const { data } of epollWait(this.#epoll, maxEvents, this.#watchdog.timeoutMs())) {
        if (data === REQUESTS) {
          if (!this.#takeRequest()) return;
        } else if (isReport(data)) this.#takeEntry(tokenOf(data));
        else this.#reportExit(tokenOf(data));
      }
      this.#watchdog.check();
    }
  }

  /** @returns false at end of file */
  #takeRequest(): boolean {
    const { length, fds } = receiveRequest(this.#packet);
    if (length === 0) return false;
    try {
      const request = JSON.parse(this.#packet.toString('utf8', 0, length)) as ZygoteRequest;
      if (request.op === 'fork') this.#fork(request, fds);
      else if (request.op === 'reap') this.#reap(request.token);
      else this.#forget(request.token);
    } finally {
      // Ours were copies for the child, which has its own by now. Kept, they would hide end of file.
      for (const fd of fds) close(fd);
    }
    return true;
  }

  #fork(request: ForkRequestPacket, fds: readonly number[]): void {
    const { token, cloneFlags, entry, undumpable, oomScoreAdj } = request;
    const { child, cgroup, pidNamespace } = sortDescriptors(request.roles, fds);
    const sys = this.#sys;
    try {
      if (entry === undefined) {
        const forked = forkChild(sys, this.#forker, {
          cloneFlags,
          cgroupFd: cgroup,
          pidNamespaceFd: pidNamespace,
          undumpable,
          child,
        });
        return this.#adopt(token, forked);
      }
      const started = withDumpable(sys, !undumpable, () =>
        startEntry(sys, this.#forker, {
          cloneFlags,
          cgroupFd: cgroup,
          child,
          joins: entry,
          joinFds: child.joins ?? [],
          oomScoreAdj,
        }),
      );
      this.#entries.set(token, started);
      epollCtl(this.#epoll, EPOLL_CTL_ADD, started.report, {
        events: EPOLLIN,
        data: reportOf(token),
      });
    } catch (error) {
      this.#sayFailed(token, error);
    }
  }

  #takeEntry(token: number): void {
    const entry = this.#entries.get(token);
    if (entry === undefined) return;
    this.#entries.delete(token);
    epollCtl(this.#epoll, EPOLL_CTL_DEL, entry.report);
    try {
      this.#adopt(token, takeEntryReport(entry));
    } catch (error) {
      this.#sayFailed(token, error);
    }
  }

  #adopt(token: number, { pid, pidfd }: Fork): void {
    this.#children.set(token, { pidfd, hasEnded: false, isForgotten: false });
    this.#watchdog.watch(token, pid, pidfd);
    epollCtl(this.#epoll, EPOLL_CTL_ADD, pidfd, { events: EPOLLIN, data: exitOf(token) });
    // First the descriptor, then its announcement.
    sendmsg(REQUEST_FD, Buffer.from(String(token)), { fds: [pidfd] });
    say({ event: 'forked', token, pid });
  }

  #sayFailed(token: number, error: unknown): void {
    if (error instanceof EntryFailure) say({ event: 'failed', token, failure: error.report });
    else if (isSyscallError(error)) {
      say({ event: 'failed', token, failure: describeFailure('fork', error) });
    } else throw error;
  }

  /** Looks at the status and leaves the zombie: the parent says when it may go. */
  #reportExit(token: number): void {
    const child = this.#children.get(token);
    if (child === undefined) return;
    const ended = waitid(child.pidfd, WNOHANG | WNOWAIT);
    if (ended === undefined) return;
    child.hasEnded = true;
    this.#watchdog.forget(token);
    // Before the pidfd is closed: registered, it would live on in children that copied it.
    epollCtl(this.#epoll, EPOLL_CTL_DEL, child.pidfd);
    if (child.isForgotten) this.#bury(token, child);
    else say({ event: 'exited', token, status: ended.status });
  }

  /** Nobody will ask for its status: kept, its zombie and our pidfd would stay as long as we do. */
  #forget(token: number): void {
    const child = this.#children.get(token);
    if (child === undefined) return;
    child.isForgotten = true;
    if (child.hasEnded) this.#bury(token, child);
  }

  #reap(token: number): void {
    const child = this.#children.get(token);
    if (child === undefined) return;
    this.#bury(token, child);
    say({ event: 'reaped', token });
  }

  #bury(token: number, { pidfd }: Child): void {
    this.#children.delete(token);
    waitid(pidfd, WNOHANG);
    close(pidfd);
  }
}

/** A parent that was killed may leave unread answers of ours behind: a reset then, and an end as good as any. */
function receiveRequest(packet: Buffer): { length: number; fds: number[] } {
  try {
    return recvmsg(REQUEST_FD, packet);
  } catch (error) {
    if (isSyscallError(error, 'ECONNRESET')) return { length: 0, fds: [] };
    throw error;
  }
}

const [, , koffiModule = '', settingsText = '{}'] = process.argv;
const settings: ZygoteSettings = {
  ...defaultSettings,
  ...(JSON.parse(settingsText) as Partial<ZygoteSettings>),
};
const libc = loadLibc(koffiModule === '' ? {} : { koffiModule });
const sys = createLinuxSyscall(libc);

function say(event: ZygoteEvent): void {
  sys.writeAll(EVENT_FD, Buffer.from(`${JSON.stringify(event)}\n`), 'the event stream');
}

function main(): void {
  // Once is for good: this loop never runs.
  wakeEventLoop();
  const forker = createForker(libc);
  const unfit = selfTest(sys, forker, settings.selfTest);
  if (unfit !== undefined) {
    say({ event: 'unfit', reason: unfit });
    return;
  }
  resetCpuAffinity(sys);
  // After the self-test: it forks as well.
  if (settings.cloneBinary) goOnFromClone(sys, forker, settings);
  keepMemoryPrivate(sys);
  warmUpChild();
  say({ event: 'ready' });
  const watchdog = new Watchdog(settings.watchdogMs, {
    now: () => performance.now(),
    progressOf: childProgress,
    kill: (pidfd) => pidfdSendSignal(pidfd, SIGKILL),
    pause: (ms) => void Atomics.wait(never, 0, 0, ms),
  });
  try {
    new ZygoteLoop(sys, forker, watchdog).run();
  } catch (error) {
    // The parent is gone, which is how a zygote usually ends.
    if (!isSyscallError(error, 'EPIPE')) throw error;
  }
  watchdog.parentIsGone();
}

let exitCode = 0;
try {
  main();
} catch (error) {
  // EPIPE: the parent is gone, which is how a zygote usually ends.
  if (!isSyscallError(error, 'EPIPE')) {
    exitCode = 70;
    process.stderr.write(`pilotlight zygote: ${String(error)}\n`);
  }
}
sys.exit(exitCode);
