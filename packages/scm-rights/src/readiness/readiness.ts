import { FdClosedError, SocketClosedError, syscallError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import {
  EFD_NONBLOCK,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
} from '../libc/constants.ts';
import {
  epollCreate,
  epollCtl,
  epollEventBuffer,
  epollWait,
  epollWaitAsync,
  tryEpollCtl,
} from '../libc/epoll.ts';
import { decodeEpollEvents } from '../libc/epoll-event.ts';
import { eventfd, eventfdRead, eventfdWrite } from '../libc/eventfd.ts';
import { OwnedFd } from '../owned-fd.ts';
import {
  interestOf,
  type ReadinessKind,
  type ReadyEvents,
  readyEvents,
  satisfies,
} from './ready-events.ts';

const MAX_EVENTS = 256;
const WAKE = 0n;

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
}

/** The descriptors of one instance, made with its first waiter. */
interface Descriptors {
  epoll: OwnedFd;
  readonly wake: OwnedFd;
  /** Lives as long as the call that fills it. */
  readonly events: Uint8Array;
}

/**
 * Waits until raw descriptors become readable, writable or hang up, without blocking the event loop; epoll(7).
 *
 * All waiters share one epoll descriptor and one thread of libuv's pool, which blocks in `epoll_wait(2)` only while there
 * are waiters: then, as with an open socket, the process stays alive; otherwise it may end. In the `exit` event the thread
 * is woken, because the process could not end while it blocks.
 *
 * Not for use in a forked child. Use the shared {@link readiness}; more instances only cost more threads.
 */
export class Readiness {
  #descriptors: Descriptors | undefined;
  readonly #byFd = new Map<number, Registration>();
  readonly #byToken = new Map<bigint, Registration>();
  #lastToken: bigint = WAKE;
  #outstanding = false;
  #wokenUp = false;
  #holds = 0;
  #closed = false;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #onExit = (): void => {
    if (this.#outstanding) this.#wake();
  };

  /** Whether no call is on a pool thread. */
  get idle(): boolean {
    return !this.#outstanding;
  }

  /** How many waits are pending. */
  get waiting(): number {
    let count = 0;
    for (const { waiters } of this.#byFd.values()) count += waiters.size;
    return count;
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
    const registration = this.#register(fdNumber(fd), interestOf(kind));
    const { promise, resolve, reject } = Promise.withResolvers<ReadyEvents>();
    const give = (error: unknown): void => {
      this.#remove(registration, waiter);
      reject(error);
    };
    const abort = (): void => give(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const forget =
      typeof fd === 'number' ? undefined : fd.beforeClose(() => give(new FdClosedError(fd.role)));
    const detach = (): void => {
      signal?.removeEventListener('abort', abort);
      forget?.();
    };
    const waiter: Waiter = { kind, resolve, reject, detach };
    registration.waiters.add(waiter);
    this.#issue();
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
    if (!this.#outstanding) return giveBack();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idleWaiters.push(() => {
      giveBack();
      resolve();
    });
    this.#wake();
    return promise;
  }

  /** Issues no new call until the result is disposed of. Waits stay pending meanwhile. */
  hold(): Disposable {
    this.#holds += 1;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds -= 1;
        this.#issue();
      },
    };
  }

  /** Rejects all waiters and closes the descriptors, as soon as no call is using them. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(new SocketClosedError('wait for readiness'));
    await this.quiesce();
    process.removeListener('exit', this.#onExit);
    this.#descriptors?.epoll.close();
    this.#descriptors?.wake.close();
    this.#descriptors = undefined;
  }

  #open(): Descriptors {
    if (this.#descriptors !== undefined) return this.#descriptors;
    const wake = new OwnedFd(eventfd(0, EFD_NONBLOCK), 'eventfd of readiness');
    try {
      const epoll = this.#makeEpoll(wake);
      this.#descriptors = { epoll, wake, events: epollEventBuffer(MAX_EVENTS) };
    } catch (error) {
      wake.close();
      throw error;
    }
    process.on('exit', this.#onExit);
    return this.#descriptors;
  }

  #makeEpoll(wake: OwnedFd): OwnedFd {
    const epoll = new OwnedFd(epollCreate(), 'epoll of readiness');
    try {
      epollCtl(epoll.fd, EPOLL_CTL_ADD, wake.fd, { events: EPOLLIN, data: WAKE });
    } catch (error) {
      epoll.close();
      throw error;
    }
    return epoll;
  }

  #register(fd: number, interest: number): Registration {
    const { epoll } = this.#open();
    const known = this.#byFd.get(fd);
    if (known !== undefined) {
      try {
        this.#change(epoll.fd, known, known.interest | interest);
        return known;
      } catch (error) {
        // The number was closed under those who wait for it, and is another file by now.
        this.#fail(known, error);
      }
    }
    const registration = {
      fd,
      token: (this.#lastToken += 1n),
      interest,
      waiters: new Set<Waiter>(),
    };
    epollCtl(epoll.fd, EPOLL_CTL_ADD, fd, { events: interest, data: registration.token });
    this.#byFd.set(fd, registration);
    this.#byToken.set(registration.token, registration);
    return registration;
  }

  #change(epollFd: number, registration: Registration, interest: number): void {
    if (registration.interest === interest) return;
    const event = { events: interest, data: registration.token };
    const result = tryEpollCtl(epollFd, EPOLL_CTL_MOD, registration.fd, event);
    if (result < 0) throw syscallError(result, 'epoll_ctl', registration.fd);
    registration.interest = interest;
  }

  /** Removes a waiter whose wait is over; the last one takes the descriptor out of the epoll set. */
  #remove(registration: Registration, waiter: Waiter): void {
    if (!registration.waiters.delete(waiter)) return;
    waiter.detach();
    if (registration.waiters.size > 0) {
      this.#narrow(registration);
      return;
    }
    this.#forget(registration);
    // Nothing left to wait for: end the call, or the process could not end.
    if (this.#byFd.size === 0 && this.#outstanding) this.#wake();
  }

  #forget(registration: Registration): void {
    this.#byFd.delete(registration.fd);
    this.#byToken.delete(registration.token);
    const epoll = this.#descriptors?.epoll;
    // It fails only if the number was closed behind our back, and then there is nothing to remove.
    if (epoll !== undefined) tryEpollCtl(epoll.fd, EPOLL_CTL_DEL, registration.fd);
  }

  #narrow(registration: Registration): void {
    let interest = 0;
    for (const { kind } of registration.waiters) interest |= interestOf(kind);
    const epoll = this.#descriptors?.epoll;
    if (epoll === undefined) return;
    try {
      this.#change(epoll.fd, registration, interest);
    } catch (error) {
      this.#fail(registration, error);
    }
  }

  #fail(registration: Registration, error: unknown): void {
    const waiters = [...registration.waiters];
    registration.waiters.clear();
    this.#forget(registration);
    for (const waiter of waiters) {
      waiter.detach();
      waiter.reject(error);
    }
  }

  #rejectAll(error: unknown): void {
    for (const registration of this.#byFd.values()) this.#fail(registration, error);
  }

  #issue(): void {
    if (this.#outstanding || this.#holds > 0 || this.#byFd.size === 0) return;
    const { epoll, events } = this.#open();
    this.#outstanding = true;
    try {
      epollWaitAsync(epoll.fd, events, -1, (count) => this.#answer(count));
    } catch (error) {
      this.#outstanding = false;
      this.#rejectAll(error);
    }
  }

  #answer(count: number): void {
    this.#outstanding = false;
    const descriptors = this.#open();
    if (count > 0) this.#deliver(descriptors, decodeEpollEvents(descriptors.events, count));
    // The errno stayed on the pool thread: ask again without waiting, which either fails here or was EINTR.
    if (count < 0) this.#deliverNow(descriptors);
    for (const done of this.#idleWaiters.splice(0)) done();
    this.#issue();
  }

  #deliverNow(descriptors: Descriptors): void {
    try {
      this.#deliver(descriptors, epollWait(descriptors.epoll.fd, MAX_EVENTS, 0));
    } catch (error) {
      this.#rejectAll(error);
    }
  }

  #deliver(descriptors: Descriptors, events: readonly { events: number; data: bigint }[]): void {
    let stale = false;
    for (const event of events) {
      if (event.data === WAKE) {
        this.#wokenUp = false;
        eventfdRead(descriptors.wake.fd);
        continue;
      }
      const registration = this.#byToken.get(event.data);
      if (registration === undefined) stale = true;
      else this.#settle(registration, event.events);
    }
    if (stale) this.#rebuild(descriptors);
  }

  #settle(registration: Registration, events: number): void {
    for (const waiter of registration.waiters) {
      if (!satisfies(events, waiter.kind)) continue;
      this.#remove(registration, waiter);
      waiter.resolve(readyEvents(events));
    }
  }

  /**
   * An event for nobody: a number was closed without being waited out, and another process holds the same open file.
   * Nothing can remove it from this epoll set, and it would be reported for ever, so the set is made anew.
   */
  #rebuild(descriptors: Descriptors): void {
    const epoll = this.#makeEpoll(descriptors.wake);
    descriptors.epoll.close();
    descriptors.epoll = epoll;
    for (const registration of this.#byFd.values()) {
      const event = { events: registration.interest, data: registration.token };
      const result = tryEpollCtl(epoll.fd, EPOLL_CTL_ADD, registration.fd, event);
      if (result < 0) this.#fail(registration, syscallError(result, 'epoll_ctl', registration.fd));
    }
  }

  #wake(): void {
    if (this.#wokenUp || this.#descriptors === undefined) return;
    this.#wokenUp = true;
    eventfdWrite(this.#descriptors.wake.fd);
  }
}

/** The instance that everything in this package waits on. */
export const readiness: Readiness = new Readiness();
