import type { FileHandle } from 'node:fs/promises';
import {
  BusyError,
  errnoCode,
  ForeignNamespaceError,
  HeldBackError,
  isDiskRefusal,
  isStoreError,
  NotFoundError,
} from '../errors.ts';
import { inside } from '../disk/temporary-file.ts';
import { recordFiles } from '../layout.ts';
import { type ExitRecord, exitRecordSchema } from '../record/exit-record.ts';
import { readRecord } from '../record/parse-record.ts';
import { parseRecordKey } from '../record/record-key.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { isHeldBack } from '../supervision/hold-back.ts';
import { describeReaped, type Observation } from '../supervision/observe.ts';
import { hasUntold } from '../supervision/tell.ts';
import { findingOf, subjectOf, tryRecordExit } from '../supervision/record-exit.ts';
import { settleHeldBack } from '../supervision/settle-held-back.ts';
import { unlessAborted } from '../supervision/unless-aborted.ts';
import { waitReaped } from '../supervision/wait-reaped.ts';
import type { LiveProcess } from './live-process.ts';
import type { StoreContext } from './store-context.ts';
import {
  notFound,
  type ProcessFacts,
  type RecordView,
  viewRecord,
  withRecord,
} from './view-record.ts';

const UNPIN_DEADLINE_MS = 2000;

/**
 * Waits for the end of a process, whoever launched it, and returns its exit record, which is on disk then, unless
 * the disk is full or read-only: the pin keeps the status in this case, or the launcher does. `launched` is the process
 * itself, if it was launched here.
 *
 * Rejects with the signal's reason, NotFoundError, BadRecordError, ForeignNamespaceError, HeldBackError.
 */
export async function wait(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  signal?: AbortSignal,
  launched?: LiveProcess,
): Promise<ExitRecord> {
  const { root } = context;
  parseRecordKey(id);
  signal?.throwIfAborted();
  const live = launched ?? context.live.get(id);
  if (live !== undefined && isSameGeneration(live.generation, generation ?? live.generation)) {
    // Launched here: the parent tells the status, and when it was, even if the record is deleted by now.
    await unlessAborted(Promise.race([live.left, live.refused]), signal);
    if (live.exit !== undefined) return live.exit;
  }
  for (;;) {
    const look = () =>
      viewRecord(root, id, generation, (view) => awaitExit(root, view, id, signal));
    const exit = await settleHeldBack(root.layout, id, look, { signal });
    if (exit !== undefined) {
      await finish(root, id, generation);
      return exit;
    }
    // A launch is under way or has died on its way: its lock tells.
    const recovered = await withRecord(root, id, generation, () => true, { signal });
    if (recovered === undefined) throw await notFound(root, id);
  }
}

/** Removes the pin of a recorded end, and tells it. If that must wait, the next command that touches the record does it. */
export async function finish(
  root: StoreRoot,
  id: string,
  generation: Generation | undefined,
): Promise<void> {
  const unfinished = viewRecord(
    root,
    id,
    generation,
    ({ facts }) => facts !== undefined && (facts.pinFile || hasUntold(facts)),
  );
  try {
    if (!(await unfinished)) return;
    await withRecord(root, id, generation, () => undefined, { deadlineMs: UNPIN_DEADLINE_MS });
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof BusyError) return;
    // Only those who may write can tidy, and only where there is room; the end is known all the same.
    if (isStoreError(error, 'ERR_STORE_ROOT') || isDiskRefusal(error)) return;
    throw error;
  }
}

async function awaitExit(
  root: StoreRoot,
  { directory, facts, seen }: RecordView,
  id: string,
  signal: AbortSignal | undefined,
): Promise<ExitRecord | undefined> {
  if (facts === undefined) return undefined;
  if (facts.exit !== undefined) return facts.exit;
  if (seen === undefined) return undefined;
  const end = await awaitEnd(seen, signal);
  if (end.kind === 'hidden') throw new ForeignNamespaceError('wait for', id);
  try {
    return await record(root, directory, facts, end);
  } catch (error) {
    // Deleted while we waited, and nothing tells how it ended.
    if (errnoCode(error) === 'ENOENT') throw await notFound(root, id);
    throw error;
  }
}

type End = Extract<Observation, { kind: 'ended' | 'lost' | 'hidden' }>;

/** Waits until the process is reaped; the status exists only from then on. */
export async function awaitEnd(seen: Observation, signal?: AbortSignal): Promise<End> {
  if (!('pidfd' in seen)) return seen;
  await waitReaped(seen.pidfd, signal);
  return describeReaped(seen.pidfd, seen.via === 'pin' ? 'pin' : 'pidfd');
}

/**
 * Records an end that was just seen. If the parent was ours and alive it has done so: it records before it reaps, and
 * nobody but the parent lets us see the end. Where the disk takes nothing the truth is told all the same: the pin keeps it.
 *
 * Throws HeldBackError.
 */
export async function record(
  { layout, atExit }: StoreRoot,
  directory: FileHandle,
  facts: ProcessFacts,
  end: Extract<End, { kind: 'ended' | 'lost' }>,
): Promise<ExitRecord> {
  if (end.kind === 'lost' && isHeldBack(layout, facts.proc, end)) {
    const exit = await readExit(directory);
    if (exit === undefined) throw new HeldBackError(facts.proc.id);
    return exit;
  }
  await atExit('ended');
  const { exit } = await tryRecordExit(directory, subjectOf(facts), findingOf(end));
  await atExit('exitRecorded');
  return exit;
}

/** The record that the parent wrote before it let the end be seen. */
async function readExit(directory: FileHandle): Promise<ExitRecord | undefined> {
  return readRecord(inside(directory, recordFiles.exit), exitRecordSchema);
}
