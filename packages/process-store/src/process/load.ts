import {
  BusyError,
  errnoCode,
  HeldBackError,
  isDiskRefusal,
  NotFoundError,
  RootError,
} from '../errors.ts';
import { deriveState, type ProcessState } from '../record/derive-state.ts';
import { parseRecordKey } from '../record/record-key.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { describeExit, findingOf, subjectOf } from '../supervision/record-exit.ts';
import { hasUntold } from '../supervision/tell.ts';
import {
  notFound,
  type ProcessFacts,
  type RecordView,
  viewRecord,
  withRecord,
} from './view-record.ts';

/** A record and the state that follows from it now. */
export interface LoadedRecord {
  facts: ProcessFacts;
  state: ProcessState;
}

/** Loads one record, finishing on the way what a crash left of it. Throws InvalidIdError, NotFoundError, BadRecordError, BusyError. */
export async function load(
  root: StoreRoot,
  id: string,
  signal?: AbortSignal,
): Promise<LoadedRecord> {
  parseRecordKey(id);
  const loaded = await loadUnless(root, id, { signal });
  if (loaded === undefined) throw await notFound(root, id);
  return loaded;
}

/** What to list. */
export interface ListOptions {
  /** Also what was executed in each container, after it. Default false. */
  execs?: boolean;
  /** Gives up between two batches of records. */
  signal?: AbortSignal;
}

/** What a listing found. */
export interface LoadedList {
  loaded: LoadedRecord[];
  problems: { id: string; problem: Error }[];
}

/** How many records are read at the same time; each has a few files open. */
const AT_ONCE = 16;

/** Loads all records, sorted by id. Launches under way are left out; what cannot be read is reported and left alone. */
export async function loadAll(root: StoreRoot, options: ListOptions = {}): Promise<LoadedList> {
  const list: LoadedList = { loaded: [], problems: [] };
  const ids = options.execs === true ? await root.keys() : await root.ids();
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    options.signal?.throwIfAborted();
    const batch = ids.slice(start, start + AT_ONCE);
    const results = await Promise.allSettled(
      batch.map((id) => loadListed(root, id, options.signal)),
    );
    for (const [index, result] of results.entries()) {
      const id = batch[index] ?? '';
      if (result.status === 'rejected') list.problems.push({ id, problem: toError(result.reason) });
      else if (result.value !== undefined) list.loaded.push(result.value);
    }
  }
  return list;
}

async function loadListed(
  root: StoreRoot,
  id: string,
  signal: AbortSignal | undefined,
): Promise<LoadedRecord | undefined> {
  try {
    // Do not wait for a lock: what is being changed shows up in the next listing.
    parseRecordKey(id);
    return await loadUnless(root, id, { deadlineMs: 0, signal });
  } catch (error) {
    // Deleted since the folder was read.
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

async function loadUnless(
  root: StoreRoot,
  id: string,
  options: { deadlineMs?: number; signal: AbortSignal | undefined },
): Promise<LoadedRecord | undefined> {
  options.signal?.throwIfAborted();
  const view = await viewRecord(root, id, undefined, (seen) => ({
    loaded: toLoaded(seen),
    unfinished: isUnfinished(seen),
    seen: seen.seen,
  }));
  if (!view.unfinished) return view.loaded;
  try {
    return await withRecord(root, id, undefined, toLoaded, options);
  } catch (error) {
    // Busy: whoever holds the lock finishes it. Not ours to write: then somebody else has to.
    const isBusy = error instanceof BusyError || error instanceof HeldBackError;
    if (isBusy && options.deadlineMs !== undefined) return view.loaded;
    if (view.loaded !== undefined && isRefusal(error)) return withEnd(view.loaded, view.seen);
    throw error;
  }
}

/** With the end that was seen and cannot be recorded now. */
async function withEnd(
  { facts, state }: LoadedRecord,
  seen: RecordView['seen'],
): Promise<LoadedRecord> {
  if (seen?.kind !== 'ended' && seen?.kind !== 'lost') return { facts, state };
  return {
    facts: { ...facts, exit: await describeExit(subjectOf(facts), findingOf(seen)) },
    state,
  };
}

function toLoaded({ facts, seen }: Pick<RecordView, 'facts' | 'seen'>): LoadedRecord | undefined {
  return facts === undefined ? undefined : { facts, state: deriveState(facts, seen?.kind) };
}

/** Whether recovery has something to do: a launch that may be dead, an end to record, a pin to remove or to renew. */
function isUnfinished({ facts, seen }: RecordView): boolean {
  if (facts === undefined) return true;
  if (hasUntold(facts)) return true;
  if (facts.exit !== undefined) return facts.pinFile;
  const isUnpinned = seen !== undefined && 'via' in seen && seen.via === 'pid';
  if (isUnpinned) return facts.proc.tier === 'A';
  return seen?.kind === 'ended' || seen?.kind === 'lost';
}

function isRefusal(error: unknown): boolean {
  if (isDiskRefusal(error)) return true;
  const code = errnoCode(error instanceof RootError ? error.cause : error);
  return code === 'EACCES' || code === 'EPERM';
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
