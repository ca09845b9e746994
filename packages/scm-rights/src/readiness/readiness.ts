import { FdClosedError, SocketClosedError, syscallError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from '../libc/constants.ts';
import { epollCreate, epollCtl, tryEpollCtl } from '../libc/epoll.ts';
import type { EpollEvent } from '../libc/epoll-event.ts';
import { loadLibc } from '../libc/library.ts';
import { OwnedFd } from '../owned-fd.ts';
import type { EpollWatch } from './epoll-watch.ts';
import { LoopWatch } from './loop-watch.ts';
import { PoolWatch, WAKE } from './pool-watch.ts';
import {
  interestOf,
  type ReadinessKind,
  type ReadyEvents,
  readyEvents,
  satisfies,
} from './ready-events.ts';

interface Waiter {
  readonly kind: ReadinessKind;
  readonly resolve: (events: ReadyEvents) => void;
  readonly reject: (error: unknown) => void;
  /** Takes back what the waiter hung on the signal and on the descriptor. */
  readonly detach: () => void;
}

interface Registration {
  readonly fd: number;
  /** Goes through the kernel and back; never reused, so that a late event cannot reach a later registration. */
  readonly token: bigint;
  interest: number;
  readonly waiters: Set<Waiter>;
  /**
   * Whose descriptor it is. Then it stays in the epoll set between two waits, which saves two system calls for each, until it
   * is reported while nobody waits; the owner takes it out before closing.
   */
  kept: { readonly by: object; readonly release: () => void } | undefined;
}

/** What one instance has open, made with its first waiter. */
interface Machinery {
  epoll: OwnedFd;
  readonly watch: EpollWatch;
}

export interface ReadinessOptions {
  /** Wait on a thread of libuv's pool also where the event loop itself can watch. */
  usePoolThread?: boolean;
}

/**
 * Waits until raw descriptors become readable, writable or hang up, without blocking the event loop; epoll(7).
 *
 * All waiters share one epoll descriptor, which the event loop watches (`Libc.watch`). Where it cannot, a thread of libuv's
 * pool blocks in `epoll_wait(2)` while there are waiters. Either way the process stays alive exactly while something waits,
 * as with an open socket, and `process.exit` ends it at any time.
 *
 * Not for use in a forked child. Use the shared {@link readiness}; more instances only cost more.
 */
export class Readiness {
  readonly #usePoolThread: boolean;
  #machinery: Machinery | undefined;
  readonly #byFd = new Map<number, Registration>();
  readonly #byToken = new Map<bigint, Registration>();
  #lastToken: bigint = WAKE;
  #pending = 0;
  #holds = 0;
  #closed = false;
  readonly #idleWaiters: (() => void)[] = [];

  constructor(options: ReadinessOptions = {}) {
    this.#usePoolThread = options.usePoolThread ?? false;
  }

  /** Whether no call is on a pool thread; always so where the event loop watches. */
  get idle(): boolean {
    return this.#machinery?.watch.busy !== true;
  }

  /** What waits: the event loop, or a pool thread; undefined before the first wait. */
  get method(): 'loop' | 'pool' | undefined {
    if (this.#machinery === undefined) return undefined;
    return this.#machinery.watch instanceof LoopWatch ? 'loop' : 'pool';
  }

  /** How many waits are pending. */
  get waiting(): number {
    return this.#pending;
  }

  /**
   * Resolves when `fd` is ready for `kind`; hang-up and error end every wait. Several may wait for one descriptor.
   *
   * A pidfd is readable when its process is dead and hangs up when it is reaped. Rejects with the signal's reason, with
   * FdClosedError when the owner of `fd` closes it meanwhile (a plain number must stay open), and with SyscallError:
   * EPERM for a file that is always ready, such as a regular one.
   */
  async wait(
    fd: FdLike,
    kind: ReadinessKind,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<ReadyEvents> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new SocketClosedError('wait for readiness');
    const registration = this.#register(fd, interestOf(kind));
    const { promise, resolve, reject } = Promise.withResolvers<ReadyEvents>();
    const give = (error: unknown): void => {
      this.#remove(registration, waiter);
      reject(error);
    };
    const abort = (): void => give(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const forget =
      typeof fd === 'number' || registration.kept?.by === fd
        ? undefined
        : fd.beforeClose(() => give(new FdClosedError(fd.role)));
    const detach = (): void => {
      signal?.removeEventListener('abort', abort);
      forget?.();
    };
    const waiter: Waiter = { kind, resolve, reject, detach };
    registration.waiters.add(waiter);
    this.#pending += 1;
    this.#arm();
    return promise;
  }

  /**
   * Resolves when no call is on a pool thread; none is issued before the caller's turn of the event loop ends. What must
   * happen in between, such as a fork, is done synchronously after the `await`; to keep it so for longer, {@link hold} it.
   */
  async quiesce(): Promise<void> {
    const hold = this.hold();
    // Given back in a later turn, whoever comes first.
    const giveBack = (): void => void setImmediate(() => hold[Symbol.dispose]());
    if (this.idle) return giveBack();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idleWaiters.push(() => {
      giveBack();
      resolve();
    });
    this.#machinery?.watch.interrupt();
    return promise;
  }

  /** Begins no new waiting until the result is disposed of. Waits stay pending meanwhile, and keep nothing alive. */
  hold(): Disposable {
    this.#holds += 1;
    this.#machinery?.watch.suspend();
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds -= 1;
        this.#arm();
      },
    };
  }

  /** Rejects all waiters and closes the descriptors, as soon as no call is using them. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(new SocketClosedError('wait for readiness'));
    await this.quiesce();
    this.#machinery?.watch.close();
    this.#machinery?.epoll.close();
    this.#machinery = undefined;
  }

  #open(): Machinery {
    if (this.#machinery !== undefined) return this.#machinery;
    const epoll = makeEpoll();
    try {
      this.#machinery = { epoll, watch: this.#makeWatch(epoll.fd) };
    } catch (error) {
      epoll.close();
      throw error;
    }
    return this.#machinery;
  }

  #makeWatch(epollFd: number): EpollWatch {
    const libc = loadLibc();
    const watch = libc.watch?.bind(libc);
    const take = (events: readonly EpollEvent[]): void => this.#answer(events);
    const fail = (error: unknown): void => {
      this.#rejectAll(error);
      this.#answer([]);
    };
    return watch === undefined || this.#usePoolThread
      ? new PoolWatch(epollFd, take, fail)
      : new LoopWatch(watch, epollFd, take, fail);
  }

  #register(fd: FdLike, interest: number): Registration {
    const { epoll } = this.#open();
    const number = fdNumber(fd);
    const known = this.#byFd.get(number);
    if (known !== undefined && this.#takeUp(known, fd, interest)) return known;
    const registration: Registration = {
      fd: number,
      token: (this.#lastToken += 1n),
      interest,
      waiters: new Set<Waiter>(),
      kept: undefined,
    };
    epollCtl(epoll.fd, EPOLL_CTL_ADD, number, { events: interest, data: registration.token });
    this.#byFd.set(number, registration);
    this.#byToken.set(registration.token, registration);
    if (typeof fd !== 'number') {
      const release = fd.beforeClose(() => this.#fail(registration, new FdClosedError(fd.role)));
      registration.kept = { by: fd, release };
    }
    return registration;
  }

  /** Whether a registration serves one more waiter. */
  #takeUp(known: Registration, fd: FdLike, interest: number): boolean {
    // Nobody waits, and somebody else has the number now: it may be another file.
    if (known.waiters.size === 0 && known.kept?.by !== fd) {
      this.#forget(known);
      return false;
    }
    const wanted = interestOfAll(known.waiters) | interest;
    // What is reported without being wanted is taken out when it is.
    if ((known.interest & wanted) === wanted) return true;
    try {
      this.#change(this.#open().epoll.fd, known, wanted);
      return true;
    } catch (error) {
      // The number was closed under those who wait for it, and is another file by now.
      this.#fail(known, error);
      return false;
    }
  }

  #change(epollFd: number, registration: Registration, interest: number): void {
    if (registration.interest === interest) return;
    const event = { events: interest, data: registration.token };
    const result = tryEpollCtl(epollFd, EPOLL_CTL_MOD, registration.fd, event);
    if (result < 0) throw syscallError(result, 'epoll_ctl', registration.fd);
    registration.interest = interest;
  }

  /** Removes a waiter whose wait is over; the last one takes the descriptor out of the epoll set, unless it is kept. */
  #remove(registration: Registration, waiter: Waiter): void {
    if (!registration.waiters.delete(waiter)) return;
    this.#pending -= 1;
    waiter.detach();
    if (registration.waiters.size > 0) this.#narrow(registration);
    else if (registration.kept === undefined) this.#forget(registration);
    // Nothing left to wait for, and then the process may end.
    if (this.#pending === 0) this.#machinery?.watch.rest();
  }

  #forget(registration: Registration): void {
    this.#byFd.delete(registration.fd);
    this.#byToken.delete(registration.token);
    registration.kept?.release();
    const epoll = this.#machinery?.epoll;
    // It fails only if the number was closed behind our back, and then there is nothing to remove.
    if (epoll !== undefined) tryEpollCtl(epoll.fd, EPOLL_CTL_DEL, registration.fd);
  }

  #narrow(registration: Registration): void {
    const epoll = this.#machinery?.epoll;
    if (epoll === undefined) return;
    try {
      this.#change(epoll.fd, registration, interestOfAll(registration.waiters));
    } catch (error) {
      this.#fail(registration, error);
    }
  }

  #fail(registration: Registration, error: unknown): void {
    const waiters = [...registration.waiters];
    registration.waiters.clear();
    this.#pending -= waiters.length;
    this.#forget(registration);
    for (const waiter of waiters) {
      waiter.detach();
      waiter.reject(error);
    }
    if (this.#pending === 0) this.#machinery?.watch.rest();
  }

  #rejectAll(error: unknown): void {
    for (const registration of this.#byFd.values()) this.#fail(registration, error);
  }

  #arm(): void {
    if (this.#holds > 0 || this.#pending === 0) return;
    try {
      this.#open().watch.arm();
    } catch (error) {
      this.#rejectAll(error);
    }
  }

  #answer(events: readonly EpollEvent[]): void {
    try {
      this.#deliver(events);
    } catch (error) {
      this.#rejectAll(error);
    }
    for (const done of this.#idleWaiters.splice(0)) done();
    this.#arm();
  }

  #deliver(events: readonly EpollEvent[]): void {
    let stale = false;
    for (const event of events) {
      const registration = this.#byToken.get(event.data);
      if (registration === undefined) stale = true;
      else this.#settle(registration, event.events);
    }
    if (stale) this.#rebuild();
  }

  #settle(registration: Registration, events: number): void {
    let served = false;
    for (const waiter of registration.waiters) {
      if (!satisfies(events, waiter.kind)) continue;
      served = true;
      this.#remove(registration, waiter);
      waiter.resolve(readyEvents(events));
    }
    if (served) return;
    // It would be reported again and again.
    if (registration.waiters.size === 0) this.#forget(registration);
    else this.#narrow(registration);
  }

  /**
   * An event for nobody: a number was closed without being waited out, and another process holds the same open file.
   * Nothing can remove it from this epoll set, and it would be reported for ever, so the set is made anew.
   */
  #rebuild(): void {
    const machinery = this.#open();
    const epoll = makeEpoll();
    machinery.watch.replace(epoll.fd);
    machinery.epoll.close();
    machinery.epoll = epoll;
    for (const registration of this.#byFd.values()) {
      if (registration.waiters.size === 0) {
        this.#forget(registration);
        continue;
      }
      const event = { events: registration.interest, data: registration.token };
      const result = tryEpollCtl(epoll.fd, EPOLL_CTL_ADD, registration.fd, event);
      if (result < 0) this.#fail(registration, syscallError(result, 'epoll_ctl', registration.fd));
    }
  }
}

function interestOfAll(waiters: Iterable<Waiter>): number {
  let interest = 0;
  for (const { kind } of waiters) interest |= interestOf(kind);
  return interest;
}

function makeEpoll(): OwnedFd {
  return new OwnedFd(epollCreate(), 'epoll of readiness');
}

/** The instance that everything in this package waits on. */
export const readiness: Readiness = new Readiness();
