import { isSyscallError } from '@pilotlight/scm-rights';
import {
  close,
  epollCreate,
  epollCtl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLIN,
  epollWait,
  recvmsg,
  sendmsg,
  waitid,
  WNOHANG,
  WNOWAIT,
} from '@pilotlight/scm-rights/libc';
import { describeFailure } from '../child/step-failure.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { EntryFailure } from './entry.ts';
import type { Fork } from './forker.ts';
import {
  EVENT_FD,
  type ForkDescriptors,
  type ForkRequestPacket,
  maxRequestBytes,
  REQUEST_FD,
  sortDescriptors,
  type ZygoteEvent,
  type ZygoteRequest,
} from './protocol.ts';
import type { Watchdog } from './watchdog.ts';

const maxEvents = 64;
/** Marks the request socket in the epoll set; the others are marked by their token, which starts at 1. */
const REQUESTS = 0n;
const exitOf = (token: number): bigint => BigInt(token) * 2n;
const reportOf = (token: number): bigint => BigInt(token) * 2n + 1n;
const isReport = (data: bigint): boolean => (data & 1n) === 1n;
const tokenOf = (data: bigint): number => Number(data >> 1n);

type Child = { pidfd: number; hasEnded: boolean; isForgotten: boolean };

/** A child that is not there yet. */
export type Coming = {
  /** A socket that can be read once it is there, or never will be. */
  report: number;
  /**
   * Takes it and closes the socket; once.
   *
   * @throws SyscallError, EntryFailure when there is none; then nothing of it is left
   */
  take(): Fork;
};

/** Where children come from. */
export type Origin = {
  /**
   * Makes a child, or begins to.
   *
   * @throws SyscallError, EntryFailure when there is none; then nothing of it is left
   */
  fork(request: ForkRequestPacket, descriptors: ForkDescriptors): Fork | Coming;
  /** A child is gone, and the parent knows. */
  afterLaunch?(): void;
};

/** A zygote at work: takes requests, reports children and their ends, and reaps them when told. */
export class ZygoteLoop {
  readonly #say: (event: ZygoteEvent) => void;
  readonly #origin: Origin;
  readonly #epoll: number = epollCreate();
  readonly #children = new Map<number, Child>();
  readonly #coming = new Map<number, Coming>();
  readonly #packet = Buffer.alloc(maxRequestBytes);
  readonly #watchdog: Watchdog;

  constructor(sys: Syscall, origin: Origin, watchdog: Watchdog) {
    this.#say = (event) => sayEvent(sys, event);
    this.#origin = origin;
    this.#watchdog = watchdog;
    epollCtl(this.#epoll, EPOLL_CTL_ADD, REQUEST_FD, { events: EPOLLIN, data: REQUESTS });
  }

  /** Until the parent hangs up. */
  run(): void {
    for (;;) {
      for (const { data } of epollWait(this.#epoll, maxEvents, this.#watchdog.timeoutMs())) {
        if (data === REQUESTS) {
          if (!this.#takeRequest()) return;
        } else if (isReport(data)) this.#takeComing(tokenOf(data));
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
    const { token } = request;
    try {
      const started = this.#origin.fork(request, sortDescriptors(request.roles, fds));
      if ('pid' in started) return this.#adopt(token, started);
      this.#coming.set(token, started);
      epollCtl(this.#epoll, EPOLL_CTL_ADD, started.report, {
        events: EPOLLIN,
        data: reportOf(token),
      });
    } catch (error) {
      this.#sayFailed(token, error);
    }
  }

  #takeComing(token: number): void {
    const coming = this.#coming.get(token);
    if (coming === undefined) return;
    this.#coming.delete(token);
    epollCtl(this.#epoll, EPOLL_CTL_DEL, coming.report);
    try {
      this.#adopt(token, coming.take());
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
    this.#say({ event: 'forked', token, pid });
  }

  #sayFailed(token: number, error: unknown): void {
    if (error instanceof EntryFailure) this.#say({ event: 'failed', token, failure: error.report });
    else if (isSyscallError(error)) {
      this.#say({ event: 'failed', token, failure: describeFailure('fork', error) });
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
    if (child.isForgotten) this.#buryForgotten(token, child);
    else this.#say({ event: 'exited', token, status: ended.status });
  }

  /** Nobody will ask for its status: kept, its zombie and our pidfd would stay as long as we do. */
  #forget(token: number): void {
    const child = this.#children.get(token);
    if (child === undefined) return;
    child.isForgotten = true;
    if (child.hasEnded) this.#buryForgotten(token, child);
  }

  #buryForgotten(token: number, child: Child): void {
    this.#bury(token, child);
    this.#origin.afterLaunch?.();
  }

  #reap(token: number): void {
    const child = this.#children.get(token);
    if (child === undefined) return;
    this.#bury(token, child);
    this.#say({ event: 'reaped', token });
    this.#origin.afterLaunch?.();
  }

  #bury(token: number, { pidfd }: Child): void {
    this.#children.delete(token);
    waitid(pidfd, WNOHANG);
    close(pidfd);
  }
}

/** Puts one event on the event stream. @throws SyscallError with EPIPE when the parent is gone */
export function sayEvent(sys: Syscall, event: ZygoteEvent): void {
  sys.writeAll(EVENT_FD, Buffer.from(`${JSON.stringify(event)}\n`), 'the event stream');
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
