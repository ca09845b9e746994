import { isSyscallError, pidfdSendSignal, pidfdState } from '@pilotlight/scm-rights';
import {
  BadRecordError,
  ForeignNamespaceError,
  NotStoppedError,
  StillAliveError,
} from '../errors.ts';
import { deriveState } from '../record/derive-state.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { parseRecordKey } from '../record/record-key.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import { lockRecord } from '../record/lock-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import { removeRecord } from '../record/remove-record.ts';
import { tell, tellRemoval } from '../supervision/tell.ts';
import { here } from '../supervision/here.ts';
import type { Observation } from '../supervision/observe.ts';
import { killCgroups, plannedCgroups, removeCgroups, thawCgroups } from './cgroups.ts';
import { readRemains, removeStray, requireEnded, requireGeneration } from './damaged-record.ts';
import type { StoreContext } from './store-context.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { runPoststop } from './poststop.ts';
import { type LockedView, notFound, viewRecord, withRecord } from './view-record.ts';
import { awaitEnd, record as recordEnd } from './wait.ts';

/** How to delete. */
export interface RemoveOptions {
  /** Kills the process, and what is left in its cgroup, first. Default false. */
  force?: boolean;
  /** How long a killed process may take to end, in milliseconds; 10,000 unless given. */
  deadlineMs?: number;
  /** Gives up waiting; what was killed was killed. */
  signal?: AbortSignal;
  /** Gets the error of each `poststop` hook that failed; it hinders nothing. */
  onWarning?: (warning: Error) => void;
}

const KILL_DEADLINE_MS = 10_000;
const KILL_ROUNDS = 5;
const LOCK_DEADLINE_MS = 10_000;

/**
 * Removes a process that has ended: its cgroup, its pin, its record; and runs the `poststop` hooks of its specification.
 * With `force` it is killed and recorded first, and a damaged record is removed too if it is proven that its process does not run, without `poststop` hooks.
 *
 * Throws NotStoppedError, StillAliveError, ForeignNamespaceError, NotFoundError, BadRecordError, DamagedRecordError,
 * NewerSchemaError, BusyError.
 */
export async function removeProcess(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: RemoveOptions = {},
): Promise<void> {
  parseRecordKey(id);
  await removeUntidily(context, id, generation, options);
  await context.root.tidy();
}

/** Leaves a root that is empty now as it is. */
async function removeUntidily(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: RemoveOptions,
): Promise<void> {
  try {
    await removeWhole(context, id, generation, options);
  } catch (error) {
    if (options.force !== true || !(error instanceof BadRecordError)) throw error;
    await removeDamaged(context, id, generation, options, error);
  }
}

/** While the container's lock is held, nothing more is executed in it. */
async function removeExecs(
  context: StoreContext,
  container: string,
  options: RemoveOptions,
): Promise<void> {
  for (const exec of await context.root.execs(container)) {
    await removeUntidily(context, exec, undefined, options);
  }
}

async function removeWhole(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: RemoveOptions,
): Promise<void> {
  const { root, live } = context;
  const { force = false, signal } = options;
  const deadlineMs = options.deadlineMs ?? KILL_DEADLINE_MS;
  await withRecord(
    root,
    id,
    generation,
    async ({ record, facts, seen }) => {
      const own = live.get(id);
      const isOwn = own !== undefined && isSameGeneration(own.generation, facts.proc);
      // What we know the end of, though a full disk did not take it, has ended as well.
      let exit = isOwn ? own.exit : undefined;
      if (facts.exit === undefined && exit === undefined) {
        const state = deriveState(facts, seen?.kind);
        if (!force)
          throw new NotStoppedError(
            'delete',
            id,
            state,
            `its process ${facts.proc.pid} is ${state}`,
          );
        exit = await kill(root, { record, facts, seen }, id, deadlineMs, signal);
      }
      await clearAway(context, { record, facts, seen }, { ...options, deadlineMs });
      // One that was recorded before is told. This comes after the ends of what was executed in it.
      if (facts.exit === undefined) await tell(root.layout, record, { ...facts, exit });
      await tellRemoval(root.layout, record, facts.proc);
      await removeRecord(root.layout, record);
    },
    { signal },
  );
}

/** Deletes a record of which a file cannot be read, if it is proven that its process does not run. */
async function removeDamaged(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: RemoveOptions,
  damage: BadRecordError,
): Promise<void> {
  const { root, live } = context;
  const { signal, deadlineMs = KILL_DEADLINE_MS } = options;
  using rootLock = await root.enter(signal);
  const path = root.layout.record(id);
  if (rootLock === undefined || (await removeStray(path))) return;
  await using record = await lockRecord(id, path, { deadlineMs: LOCK_DEADLINE_MS, signal });
  if (record === undefined) throw await notFound(root, id);
  const remains = await readRemains(record);
  if (requireGeneration(remains, generation, damage) === 'other') throw await notFound(root, id);
  await requireEnded(record, remains, damage, { deadlineMs, signal });
  const own = live.get(id);
  if (own !== undefined) {
    await own.forget();
    live.delete(id);
  }
  const { proc, spec } = remains;
  await removeExecs(context, id, options);
  if (proc !== undefined) await emptyCgroups(context, proc, id, true);
  else if (spec !== undefined) await removeCgroups(await plannedCgroups(spec));
  if (proc !== undefined) await tellRemoval(root.layout, record, proc);
  await removeRecord(root.layout, record);
}

/**
 * Removes what a process that has ended left outside its record: what was executed in it, its cgroup; and runs its
 * `poststop` hooks. The caller holds the record's lock, and if we die in between, does it again: none is lost.
 */
export async function clearAway(
  context: StoreContext,
  view: LockedView,
  options: RemoveOptions,
): Promise<void> {
  const { live } = context;
  const { key } = view.record;
  // Its parent, if that is us, lets go of the folder and of the cgroup.
  const own = live.get(key);
  if (own !== undefined && isSameGeneration(own.generation, view.facts.proc)) {
    if (own.exit === undefined) await own.left;
    else await own.forget();
    live.delete(key);
  }
  await removeExecs(context, key, options);
  await emptyCgroups(context, view.facts.proc, key, options.force ?? false);
  await runPoststop(view, options);
}

/** Kills, waits and records, in this order; the status is on disk before anything is removed. Undefined if nobody reaps it. */
async function kill(
  root: StoreRoot,
  { record, facts, seen }: LockedView,
  id: string,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<ExitRecord | undefined> {
  if (seen === undefined || seen.kind === 'hidden') throw new ForeignNamespaceError('delete', id);
  if ('pidfd' in seen) sendKill(seen);
  // A frozen process takes the signal only when it runs again.
  await thawCgroups(facts.proc.cgroupPaths);
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    const end = await awaitEnd(seen, both);
    if (end.kind === 'hidden') throw new ForeignNamespaceError('delete', id);
    return await recordEnd(root, record.directory, facts, end);
  } catch (error) {
    signal?.throwIfAborted();
    if (!deadline.aborted) throw error;
    // A zombie runs nothing any more, and who deletes it does not ask how it ended. Its parent may never reap it, or not
    // before a full disk takes its record, and the space for that is what is deleted here.
    if ('pidfd' in seen && pidfdState(seen.pidfd) !== 'running') return undefined;
    throw new StillAliveError('delete', id, facts.proc.pid, deadlineMs);
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
  { bootId, cgroupPaths }: ProcRecord,
  id: string,
  force: boolean,
): Promise<void> {
  // After a restart the same path is somebody else's.
  if (bootId !== here().bootId) return;
  let busy = await removeCgroups(cgroupPaths);
  if (busy.length === 0) return;
  const shared = await pathsOfOthers(context, id);
  busy = busy.filter((path) => !shared.has(path));
  const rounds = force ? KILL_ROUNDS : 0;
  for (let round = 0; busy.length > 0 && round < rounds; round++) {
    await killCgroups(busy);
    busy = await removeCgroups(busy);
  }
  if (busy.length === 0) return;
  throw new NotStoppedError(
    'delete',
    id,
    'stopped',
    `its cgroup still holds processes (${busy.join(', ')})`,
  );
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
