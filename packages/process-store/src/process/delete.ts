import { isSyscallError, pidfdSendSignal } from '@pilotlight/scm-rights';
import { ForeignNamespaceError, NotStoppedError, StillAliveError } from '../errors.ts';
import { deriveState } from '../record/derive-state.ts';
import { parseRecordId } from '../record/record-id.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import { removeRecord } from '../record/remove-record.ts';
import { here } from '../supervision/here.ts';
import type { Observation } from '../supervision/observe.ts';
import { killCgroups, removeCgroups, thawCgroups } from './cgroups.ts';
import type { StoreContext } from './store-context.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { runPoststop } from './poststop.ts';
import { type LockedView, viewRecord, withRecord } from './view-record.ts';
import { awaitEnd, record as recordEnd } from './wait.ts';

export interface DeleteOptions {
  /** Kills the process, and what is left in its cgroup, first. */
  force?: boolean;
  /** How long a killed process may take to end, in milliseconds; 10,000 unless given. */
  deadlineMs?: number;
  signal?: AbortSignal;
  /** Gets the error of each `poststop` hook that failed; it hinders nothing. */
  onWarning?: (warning: Error) => void;
}

const KILL_DEADLINE_MS = 10_000;
const KILL_ROUNDS = 5;

/**
 * Removes a process that has ended: its cgroup, its pin, its record; and runs the `poststop` hooks of its specification. With `force` it is killed and recorded first.
 *
 * Throws NotStoppedError, StillAliveError, ForeignNamespaceError, NotFoundError, BadRecordError, BusyError.
 */
export async function deleteProcess(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: DeleteOptions = {},
): Promise<void> {
  const { root, live } = context;
  const { force = false, signal } = options;
  const deadlineMs = options.deadlineMs ?? KILL_DEADLINE_MS;
  await withRecord(
    root,
    parseRecordId(id),
    generation,
    async ({ record, facts, seen }) => {
      if (facts.exit === undefined) {
        const state = deriveState(facts, seen?.kind);
        if (!force)
          throw new NotStoppedError(id, state, `its process ${facts.proc.pid} is ${state}`);
        await kill(root, { record, facts, seen }, id, deadlineMs, signal);
      }
      // Its parent, if that is us, lets go of the folder and of the cgroup.
      const own = live.get(id);
      if (own !== undefined && isSameGeneration(own.generation, facts.proc)) {
        await own.left;
        live.delete(id);
      }
      await emptyCgroups(context, { record, facts, seen }, id, force);
      // Before the record goes: if we die in between, the next delete runs them again, and none is lost.
      await runPoststop({ record, facts, seen }, options);
      await removeRecord(root.layout, record);
    },
    { signal },
  );
  await root.tidy();
}

/** Kills, waits and records, in this order; the status is on disk before anything is removed. */
async function kill(
  root: StoreRoot,
  { record, facts, seen }: LockedView,
  id: string,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (seen === undefined || seen.kind === 'hidden') throw new ForeignNamespaceError('delete', id);
  if ('pidfd' in seen) sendKill(seen);
  // A frozen process takes the signal only when it runs again.
  await thawCgroups(facts.proc.cgroupPaths);
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    const end = await awaitEnd(seen, both);
    if (end.kind === 'hidden') throw new ForeignNamespaceError('delete', id);
    await recordEnd(root.layout, record.directory, facts, end);
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) throw new StillAliveError(id, facts.proc.pid, deadlineMs);
    throw error;
  }
}

function sendKill(seen: Extract<Observation, { kind: 'alive' | 'zombie' }>): void {
  try {
    pidfdSendSignal(seen.pidfd, 'SIGKILL');
  } catch (error) {
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}

async function emptyCgroups(
  context: StoreContext,
  { facts }: LockedView,
  id: string,
  force: boolean,
): Promise<void> {
  // After a restart the same path is somebody else's.
  if (facts.proc.bootId !== here().bootId) return;
  let busy = await removeCgroups(facts.proc.cgroupPaths);
  if (busy.length === 0) return;
  const shared = await pathsOfOthers(context, id);
  busy = busy.filter((path) => !shared.has(path));
  const rounds = force ? KILL_ROUNDS : 0;
  for (let round = 0; busy.length > 0 && round < rounds; round++) {
    await killCgroups(busy);
    busy = await removeCgroups(busy);
  }
  if (busy.length === 0) return;
  throw new NotStoppedError(id, 'stopped', `its cgroup still holds processes (${busy.join(', ')})`);
}

/** Cgroups that other records name, whose processes are not ours to kill. */
async function pathsOfOthers({ root }: StoreContext, id: string): Promise<Set<string>> {
  const paths = new Set<string>();
  const others = (await root.ids()).filter((other) => other !== id);
  for (const other of others) {
    try {
      await viewRecord(root, other, undefined, ({ facts }) => {
        if (facts?.exit === undefined) facts?.proc.cgroupPaths.forEach((path) => paths.add(path));
      });
    } catch {
      // Damaged or just deleted: it cannot tell.
    }
  }
  return paths;
}
