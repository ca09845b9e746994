import { isMainThread } from 'node:worker_threads';
import { EFD_NONBLOCK, EPOLL_CTL_ADD, EPOLLIN } from '../libc/constants.ts';
import { epollCtl, epollEventBuffer, epollWaitAsync, epollWaitNow } from '../libc/epoll.ts';
import { decodeEpollEvents, type EpollEvent } from '../libc/epoll-event.ts';
import { eventfd, eventfdRead, eventfdWrite } from '../libc/eventfd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { type EpollWatch, MAX_EVENTS, type TakeEvents } from './epoll-watch.ts';

/** The data of the event that ends a call; no registration has it. */
export const WAKE = 0n;

/** A worker that is terminated gets no `exit` event to interrupt the call in, and cannot end before it returns. */
const LONGEST_MS = isMainThread ? -1 : 250;

/**
 * Waits on a thread of libuv's pool, which blocks in `epoll_wait(2)` while armed. An eventfd in the same epoll set ends the
 * call; in the `exit` event too, because the process could not end while the thread blocks.
 */
export class PoolWatch implements EpollWatch {
  readonly #take: TakeEvents;
  readonly #fail: (error: unknown) => void;
  readonly #wake: OwnedFd;
  /** Lives as long as the call that fills it. */
  readonly #events: Uint8Array = epollEventBuffer(MAX_EVENTS);
  #epollFd: number;
  #busy = false;
  #interrupted = false;
  readonly #onExit = (): void => this.interrupt();

  /** Throws SyscallError. `take` is called with each report, when the thread is free again. */
  constructor(epollFd: number, take: TakeEvents, fail: (error: unknown) => void) {
    this.#epollFd = epollFd;
    this.#take = take;
    this.#fail = fail;
    this.#wake = new OwnedFd(eventfd(0, EFD_NONBLOCK), 'eventfd of readiness');
    try {
      this.#register();
    } catch (error) {
      this.#wake.close();
      throw error;
    }
    process.on('exit', this.#onExit);
  }

  get busy(): boolean {
    return this.#busy;
  }

  arm(): void {
    if (this.#busy) return;
    epollWaitAsync(this.#epollFd, this.#events, LONGEST_MS, (count) => this.#answer(count));
    this.#busy = true;
  }

  rest(): void {
    this.interrupt();
  }

  suspend(): void {}

  interrupt(): void {
    if (!this.#busy || this.#interrupted) return;
    this.#interrupted = true;
    eventfdWrite(this.#wake.fd);
  }

  replace(epollFd: number): void {
    this.#epollFd = epollFd;
    this.#register();
  }

  close(): void {
    process.removeListener('exit', this.#onExit);
    this.#wake.close();
  }

  #register(): void {
    epollCtl(this.#epollFd, EPOLL_CTL_ADD, this.#wake.fd, { events: EPOLLIN, data: WAKE });
  }

  #answer(count: number): void {
    this.#busy = false;
    let events;
    try {
      // The errno stayed on the pool thread: ask again without waiting, which either fails here or was EINTR.
      events =
        count < 0
          ? epollWaitNow(this.#epollFd, this.#events)
          : decodeEpollEvents(this.#events, count);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#take(events.filter((event) => !this.#isWake(event)));
  }

  #isWake({ data }: EpollEvent): boolean {
    if (data !== WAKE) return false;
    this.#interrupted = false;
    eventfdRead(this.#wake.fd);
    return true;
  }
}
