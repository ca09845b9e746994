import { epollEventBuffer, epollWaitNow } from '../libc/epoll.ts';
import type { FdWatch, Libc } from '../libc/library.ts';
import { type EpollWatch, MAX_EVENTS, type TakeEvents } from './epoll-watch.ts';

/** Watches on the event loop itself: an epoll descriptor is readable as long as it has events. Uses no thread. */
export class LoopWatch implements EpollWatch {
  readonly busy = false;
  readonly #watch: NonNullable<Libc['watch']>;
  readonly #take: TakeEvents;
  readonly #fail: (error: unknown) => void;
  readonly #events: Uint8Array = epollEventBuffer(MAX_EVENTS);
  #epollFd: number;
  #handle: FdWatch | undefined;
  #started = false;
  #referenced = false;
  #scheduled = false;
  #stopping = false;

  constructor(
    watch: NonNullable<Libc['watch']>,
    epollFd: number,
    take: TakeEvents,
    fail: (error: unknown) => void,
  ) {
    this.#watch = watch;
    this.#epollFd = epollFd;
    this.#take = take;
    this.#fail = fail;
  }

  arm(): void {
    if (this.#handle === undefined) {
      this.#handle = this.#watch(this.#epollFd, () => this.#schedule());
      this.#started = true;
      this.#referenced = true;
      return;
    }
    if (!this.#started) this.#handle.start();
    this.#started = true;
    if (!this.#referenced) this.#handle.ref();
    this.#referenced = true;
  }

  /**
   * Stays started for the rest of this turn: if waiting goes on at once, that saves two system calls. But not longer: a report
   * while Node tears down at its natural end would abort the process.
   */
  rest(): void {
    if (!this.#referenced) return;
    this.#handle?.unref();
    this.#referenced = false;
    if (this.#stopping) return;
    this.#stopping = true;
    setImmediate(() => {
      this.#stopping = false;
      if (!this.#referenced) this.suspend();
    });
  }

  suspend(): void {
    if (this.#started) this.#handle?.stop();
    this.#started = false;
  }

  interrupt(): void {}

  replace(epollFd: number): void {
    const armed = this.#started && this.#referenced;
    this.close();
    this.#epollFd = epollFd;
    if (armed) this.arm();
  }

  close(): void {
    this.#handle?.close();
    this.#handle = undefined;
    this.#started = false;
    this.#referenced = false;
  }

  /** The report comes outside of any turn of JavaScript, where promises would not go on: use it only to make one. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      // Suspended or closed in the meantime: what is still true will be reported again.
      if (this.#started) this.#report();
    });
  }

  #report(): void {
    let events;
    try {
      events = epollWaitNow(this.#epollFd, this.#events);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#take(events);
  }
}
