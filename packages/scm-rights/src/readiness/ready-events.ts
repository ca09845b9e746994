import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from '../libc/constants.ts';

/** What a waiter can wait for. `hangup` is also reported to those who wait for something else. */
export type ReadinessKind = 'readable' | 'writable' | 'hangup';

/** What was true of the descriptor when the kernel reported it. */
export interface ReadyEvents {
  readable: boolean;
  writable: boolean;
  hangup: boolean;
  error: boolean;
}

const INTEREST: Readonly<Record<ReadinessKind, number>> = {
  readable: EPOLLIN,
  writable: EPOLLOUT,
  // EPOLLHUP and EPOLLERR are reported without being asked for; asking for nothing else is
  // what keeps the level-triggered EPOLLIN of a dead, unreaped process from waking us for ever.
  hangup: 0,
};

/** The EPOLL… bits to register for a kind. */
export function interestOf(kind: ReadinessKind): number {
  return INTEREST[kind];
}

/** Whether reported bits end a wait for `kind`. Hang-up and error end every wait: they would be reported again at once. */
export function satisfies(events: number, kind: ReadinessKind): boolean {
  return (events & (INTEREST[kind] | EPOLLHUP | EPOLLERR)) !== 0;
}

/** Reported bits by name. */
export function readyEvents(events: number): ReadyEvents {
  return {
    readable: (events & EPOLLIN) !== 0,
    writable: (events & EPOLLOUT) !== 0,
    hangup: (events & EPOLLHUP) !== 0,
    error: (events & EPOLLERR) !== 0,
  };
}
