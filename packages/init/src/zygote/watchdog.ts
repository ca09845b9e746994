import { readFileSync, readlinkSync } from 'node:fs';

/**
 * What a child is at: its own program; waiting for its parent, as it rightly does before its config
 * and at the gate; or something else that it should soon be done with.
 */
export type ChildProgress = 'program' | 'waiting' | 'busy';

export type WatchdogHost = {
  /** Milliseconds, monotonic. */
  now(): number;
  progressOf(pid: number): ChildProgress;
  kill(pidfd: number): void;
  pause(ms: number): void;
};

type Watched = { pid: number; pidfd: number; since: number };

const hangUpGraceMs = 5000;
const hangUpStepMs = 20;

/**
 * Kills children that never get as far as their program: one that inherited a lock nobody will
 * release, or that hangs in a mount or a file of a hostile image.
 *
 * While the parent lives and minds its launches, its own deadline comes first, with a better
 * message. This is for when it does not: it is stopped, its event loop is blocked, or it is gone. A
 * child that waits for its parent is never stuck, however long that takes: with `prepareLaunch` it
 * may wait for days, and if the parent is gone it reads end of file and ends by itself.
 *
 * A launch pays one entry in a map for it; children are only looked at when the limit is over.
 */
export class Watchdog {
  readonly #limitMs: number;
  readonly #host: WatchdogHost;
  /** By token, those not known to run their program; the oldest first. */
  readonly #watched = new Map<number, Watched>();

  constructor(limitMs: number, host: WatchdogHost) {
    this.#limitMs = limitMs;
    this.#host = host;
  }

  /** From its fork until `forget`; the child is a zombie at worst, so `pid` is nobody else's. */
  watch(token: number, pid: number, pidfd: number): void {
    this.#watched.set(token, { pid, pidfd, since: this.#host.now() });
  }

  forget(token: number): void {
    this.#watched.delete(token);
  }

  /** How long epoll_wait(2) may take before `check` is due; -1 when there is nobody to look after. */
  timeoutMs(): number {
    for (const { since } of this.#watched.values()) {
      return Math.max(0, Math.ceil(since + this.#limitMs - this.#host.now()));
    }
    return -1;
  }

  check(): void {
    const now = this.#host.now();
    for (const [token, child] of this.#watched) {
      if (now - child.since < this.#limitMs) return;
      this.#watched.delete(token);
      const progress = this.#host.progressOf(child.pid);
      if (progress === 'busy') this.#host.kill(child.pidfd);
      // To the end of the queue: a full period from now.
      if (progress === 'waiting') this.#watched.set(token, { ...child, since: now });
    }
  }

  /** The parent has hung up: nobody else looks after who is still on its way. Returns when nobody is. */
  parentIsGone(): void {
    const end = this.#host.now() + hangUpGraceMs;
    while (this.#host.now() < end) {
      if (this.#busy().length === 0) return;
      this.#host.pause(hangUpStepMs);
    }
    for (const { pidfd } of this.#busy()) this.#host.kill(pidfd);
  }

  #busy(): Watched[] {
    for (const [token, { pid }] of this.#watched) {
      if (this.#host.progressOf(pid) !== 'busy') this.#watched.delete(token);
    }
    return [...this.#watched.values()];
  }
}

/** PF_FORKNOEXEC in the flags of proc_pid_stat(5): forked, and nothing run since. */
const FORKED_NO_EXEC = 0x40;
/** read, recvfrom and recvmsg: how a child waits for its parent. */
const receivingCalls = process.arch === 'arm64' ? ['63', '207', '212'] : ['0', '45', '47'];

/**
 * Asks /proc. What may not be asked of a child that belongs to root counts as waiting.
 *
 * @param hasRunNothing whether it is still what it was made as, from the flags of its stat. Default: forked, and nothing run since
 */
export function childProgress(
  pid: number,
  hasRunNothing: (flags: number) => boolean = (flags) => (flags & FORKED_NO_EXEC) !== 0,
): ChildProgress {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses that may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isZombie = fields[0] === 'Z' || fields[0] === 'X';
    if (isZombie || !hasRunNothing(Number(fields[6]))) return 'program';
    const [call = '', fd = '0'] = readFileSync(`/proc/${pid}/syscall`, 'latin1').split(' ');
    if (!receivingCalls.includes(call)) return 'busy';
    // A fifo of a hostile image is read as well.
    const target = readlinkSync(`/proc/${pid}/fd/${Number(fd)}`);
    return target.startsWith('socket:') ? 'waiting' : 'busy';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ESRCH' ? 'program' : 'waiting';
  }
}
