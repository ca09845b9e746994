import { fstatSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError, LockTimeoutError } from '../errors.ts';
import { type FdLike, fdNumber } from '../fd-like.ts';
import { LOCK_EX, LOCK_SH, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDWR } from '../libc/constants.ts';
import { fcntlDupfd } from '../libc/fcntl.ts';
import { tryFlock } from '../libc/flock.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';

const FIRST_DELAY_MS = 1;
const LONGEST_DELAY_MS = 50;

export interface FlockOptions {
  signal?: AbortSignal | undefined;
  /** How long to try, in milliseconds from the call; the default is 10,000, Infinity is allowed, 0 tries once. */
  deadlineMs?: number | undefined;
  /** Permissions of a lock file that is created; 0o600 by default. */
  mode?: number | undefined;
}

/**
 * Takes the exclusive lock of a file, made if it is not there; `flock(2)`. The lock is held until the result is closed.
 *
 * Waits without blocking, by retrying at random distances of at most 50 ms; the order of those who wait is not kept. A
 * lock file that is removed or replaced meanwhile is opened anew. Given a descriptor, the result is a copy of it, and the
 * lock, which belongs to the open file, ends when both are closed. The kernel releases it when the process dies, unless a
 * child inherited the open file. Throws LockTimeoutError, SyscallError, InvalidArgumentError, the signal's reason.
 */
export async function flockExclusive(
  file: string | FdLike,
  options: FlockOptions = {},
): Promise<OwnedFd> {
  return lock(file, 'exclusive', options);
}

/** Like {@link flockExclusive}, for a lock that several may hold as long as nobody has the exclusive one. */
export async function flockShared(
  file: string | FdLike,
  options: FlockOptions = {},
): Promise<OwnedFd> {
  return lock(file, 'shared', options);
}

/** Takes the lock at once, or returns undefined if another holds it. See {@link flockExclusive}. */
export function tryLock(
  file: string | FdLike,
  kind: 'exclusive' | 'shared',
  options: { mode?: number | undefined } = {},
): OwnedFd | undefined {
  const operation = kind === 'exclusive' ? LOCK_EX : LOCK_SH;
  for (;;) {
    const opened = openLockFile(file, options.mode);
    let kept = false;
    try {
      if (!tryFlock(opened.fd, operation)) return undefined;
      kept = typeof file !== 'string' || isStillAt(file, opened);
      if (kept) return opened;
    } finally {
      if (!kept) opened.close();
    }
  }
}

async function lock(
  file: string | FdLike,
  kind: 'exclusive' | 'shared',
  { signal, deadlineMs = 10_000, mode }: FlockOptions,
): Promise<OwnedFd> {
  if (!(deadlineMs >= 0)) {
    throw new InvalidArgumentError('deadlineMs', 'a number from 0', String(deadlineMs));
  }
  const end = performance.now() + deadlineMs;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
    signal?.throwIfAborted();
    const held = tryLock(file, kind, { mode });
    if (held !== undefined) return held;
    const left = end - performance.now();
    if (left <= 0) throw new LockTimeoutError(describe(file), kind, deadlineMs);
    await pause(Math.min(left, delay * (0.5 + Math.random() / 2)), signal);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    // Timers wrap the reason; everything else here rejects with the reason itself.
    signal?.throwIfAborted();
    throw error;
  }
}

function openLockFile(file: string | FdLike, mode: number | undefined): OwnedFd {
  if (typeof file !== 'string') return new OwnedFd(fcntlDupfd(fdNumber(file)), 'file lock');
  // Non-blocking, so that a FIFO put there by somebody cannot stop us.
  return openFd(file, O_RDWR | O_CREAT | O_NOCTTY | O_NONBLOCK, mode ?? 0o600);
}

/** Whether the locked file is the one others would open now. */
function isStillAt(path: string, opened: OwnedFd): boolean {
  const mine = fstatSync(opened.fd, { bigint: true });
  const current = statSync(path, { bigint: true, throwIfNoEntry: false });
  return current !== undefined && current.ino === mine.ino && current.dev === mine.dev;
}

function describe(file: string | FdLike): string {
  return typeof file === 'string' ? file : `fd ${fdNumber(file)}`;
}
