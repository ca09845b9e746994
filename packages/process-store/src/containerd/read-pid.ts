import { setTimeout as sleep } from 'node:timers/promises';
import { type FdLike, pidfdState } from '@pilotlight/scm-rights';
import { PidFileError } from '../errors.ts';
import { readIfThere } from './layout-file.ts';
import { parsePid } from './number-files.ts';

const RETRY_MS = 10;
const DEADLINE_MS = 10_000;

/** How long to wait for a pid, and for whom. */
export interface ReadPidOptions {
  /** How long it may take to be written, in milliseconds; 10,000 unless given. 0 reads once. */
  deadlineMs?: number;
  /** A pidfd of whoever is to write it, who is not waited for once it has ended. Stays the caller's. */
  launcher?: FdLike;
  signal?: AbortSignal;
}

/**
 * The pid in a `pid` file, as soon as there is one: no file, an empty one, and anything that is not a pid mean "not yet".
 *
 * Throws PidFileError at the deadline, or when the launcher has ended without writing it; the signal's reason.
 */
export async function readPid(path: string, options: ReadPidOptions = {}): Promise<number> {
  const { deadlineMs = DEADLINE_MS, launcher, signal } = options;
  const end = performance.now() + deadlineMs;
  for (;;) {
    signal?.throwIfAborted();
    // Asked before reading: what it wrote before its end is there to be read afterwards.
    const isAlive = launcher === undefined || pidfdState(launcher) === 'running';
    const pid = parsePid((await readIfThere(path)) ?? '');
    if (pid !== undefined) return pid;
    if (!isAlive) throw new PidFileError(path, 'whoever was to write it has ended');
    if (performance.now() >= end) {
      throw new PidFileError(path, `there is no pid in it after ${deadlineMs} ms`);
    }
    await sleep(RETRY_MS);
  }
}
