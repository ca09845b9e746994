import type { EpollEvent } from '../libc/epoll-event.ts';

/** What tells that an epoll descriptor has events, without blocking the event loop. */
export interface EpollWatch {
  /** Whether a pool thread is inside a call. */
  readonly busy: boolean;
  /** Reports from now on, and keeps the process alive meanwhile. */
  arm(): void;
  /** Nothing waits any more: the process may end. */
  rest(): void;
  /** Begins no report until armed again. One that is under way on a pool thread still comes: see {@link interrupt}. */
  suspend(): void;
  /** Ends what is under way on a pool thread soon. */
  interrupt(): void;
  /** Goes on with another epoll descriptor, before the old one is closed. Not while busy. */
  replace(epollFd: number): void;
  /** Ends it, before the epoll descriptor is closed. Not while busy. */
  close(): void;
}

/** Takes the events of one report, possibly none. */
export type TakeEvents = (events: readonly EpollEvent[]) => void;

/** Most events in one report. */
export const MAX_EVENTS = 256;
