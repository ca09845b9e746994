import { InvalidArgumentError } from '../errors.ts';
import { O_CLOEXEC } from './constants.ts';
import {
  decodeEpollEvents,
  encodeEpollEvent,
  EPOLL_EVENT_LAYOUT,
  type EpollEvent,
} from './epoll-event.ts';
import { attempt, invoke, lazyFunction } from './invoke.ts';

const create = lazyFunction('epoll_create1', 'int', ['int']);
const ctl = lazyFunction('epoll_ctl', 'int', ['int', 'int', 'int', 'void *']);
const wait = lazyFunction('epoll_wait', 'int', ['int', 'void *', 'int', 'int']);

/** A new epoll descriptor, close-on-exec; `epoll_create1(2)`. The caller closes it. */
export function epollCreate(): number {
  return invoke('epoll_create1', undefined, create(), O_CLOEXEC);
}

/**
 * Adds, changes or removes `fd` in an epoll set by EPOLL_CTL_ADD, MOD or DEL; `epoll_ctl(2)`.
 *
 * Remove before closing: an open file that another process also holds stays registered after the close.
 */
export function epollCtl(
  epollFd: number,
  operation: number,
  fd: number,
  event: EpollEvent = { events: 0, data: 0n },
): void {
  invoke('epoll_ctl', fd, ctl(), epollFd, operation, fd, encodeEpollEvent(event));
}

/** {@link epollCtl} that returns 0 or the negative errno. */
export function tryEpollCtl(
  epollFd: number,
  operation: number,
  fd: number,
  event: EpollEvent = { events: 0, data: 0n },
): number {
  return attempt(ctl(), epollFd, operation, fd, encodeEpollEvent(event));
}

/**
 * Blocks until events come or `timeoutMs` (-1: for ever) is over; `epoll_wait(2)`. After EINTR the full time starts again.
 *
 * For a process without an event loop; with 0 it is a poll anywhere.
 */
export function epollWait(epollFd: number, maxEvents: number, timeoutMs: number): EpollEvent[] {
  const bytes = epollEventBuffer(maxEvents);
  const count = invoke('epoll_wait', epollFd, wait(), epollFd, bytes, maxEvents, timeoutMs);
  return decodeEpollEvents(bytes, count);
}

/** {@link epollWait} into memory of the caller's, without waiting. */
export function epollWaitNow(epollFd: number, bytes: Uint8Array): EpollEvent[] {
  const maxEvents = Math.floor(bytes.length / EPOLL_EVENT_LAYOUT.size);
  const count = invoke('epoll_wait', epollFd, wait(), epollFd, bytes, maxEvents, 0);
  return decodeEpollEvents(bytes, count);
}

/** Memory for `maxEvents` events. */
export function epollEventBuffer(maxEvents: number): Uint8Array {
  if (!Number.isInteger(maxEvents) || maxEvents < 1) {
    throw new InvalidArgumentError('maxEvents', 'an integer from 1', String(maxEvents));
  }
  return new Uint8Array(maxEvents * EPOLL_EVENT_LAYOUT.size);
}

/**
 * `epoll_wait(2)` on a thread of libuv's pool. `done` gets the number of events in `bytes`, or -1; the errno is lost.
 * `bytes` must live until then, and the descriptor must stay open.
 */
export function epollWaitAsync(
  epollFd: number,
  bytes: Uint8Array,
  timeoutMs: number,
  done: (count: number) => void,
): void {
  const maxEvents = Math.floor(bytes.length / EPOLL_EVENT_LAYOUT.size);
  wait().async(epollFd, bytes, maxEvents, timeoutMs, (error, count) => {
    done(error === null || error === undefined ? count : -1);
  });
}
