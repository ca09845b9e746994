import { setTimeout as sleep } from 'node:timers/promises';
import { signalNumber } from '@pilotlight/scm-rights';
import { markOnce } from '../disk/mark-once.ts';
import { NotRunningError, StillAliveError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import type { Generation } from '../record/generation.ts';
import { parseRecordKey } from '../record/record-key.ts';
import { thawCgroups } from './cgroups.ts';
import { signalProcess } from './signal.ts';
import type { StoreContext } from './store-context.ts';
import { withRecord } from './view-record.ts';
import { wait } from './wait.ts';

/** How to stop. */
export interface StopOptions {
  /** How long it has from the first signal until it is killed, in milliseconds from 0; 10,000 unless given. */
  graceMs?: number;
  /** The first signal; SIGTERM unless given. */
  stopSignal?: NodeJS.Signals | number;
  /** How long a killed process may take to end, in milliseconds; 10,000 unless given. */
  deadlineMs?: number;
  /** Gives up; what was sent was sent. */
  signal?: AbortSignal;
}

const GRACE_MS = 10_000;
const KILL_DEADLINE_MS = 10_000;

/**
 * Asks a process to end, kills it if it has not after a while, and tells how it ended. One that has ended already is left
 * as it is. From then on no restart policy starts it again.
 *
 * Rejects with StillAliveError, NotFoundError, BadRecordError, ForeignNamespaceError, BusyError, the signal's reason, and
 * InvalidArgumentError of @pilotlight/scm-rights for what is no signal.
 */
export async function stop(
  context: StoreContext,
  key: string,
  generation: Generation | undefined,
  options: StopOptions = {},
): Promise<ExitRecord> {
  const { graceMs = GRACE_MS, stopSignal = 'SIGTERM', signal } = options;
  const { deadlineMs = KILL_DEADLINE_MS } = options;
  parseRecordKey(key);
  const first = signalNumber(stopSignal);
  signal?.throwIfAborted();
  const facts = await withRecord(
    context.root,
    key,
    generation,
    async ({ record, facts: locked }) => {
      // Before the signal: the end that it brings must not be taken for one to restart after.
      await markOnce(record.directory, recordFiles.stop);
      return locked;
    },
    { signal },
  );
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const ended = wait(context, key, facts?.proc ?? generation, either);
  // Until it is awaited below.
  ended.catch(() => undefined);
  try {
    await send(context, key, facts?.proc, first);
    const early = await within(ended, graceMs);
    if (early !== undefined) return early;
    await send(context, key, facts?.proc, 'SIGKILL');
    // A frozen process takes the signal only when it runs again.
    if (facts?.proc.container === undefined) await thawCgroups(facts?.proc.cgroupPaths ?? []);
    const late = await within(ended, deadlineMs);
    if (late !== undefined) return late;
    throw new StillAliveError('stop', key, facts?.proc.pid ?? 0, deadlineMs);
  } finally {
    over.abort();
  }
}

async function send(
  { root }: StoreContext,
  key: string,
  generation: Generation | undefined,
  signal: NodeJS.Signals | number,
): Promise<void> {
  try {
    await signalProcess(root, key, generation, signal);
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
  }
}

/** What it resolves to, or undefined if that takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
