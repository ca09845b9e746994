import { rmdir } from 'node:fs/promises';
import { makeFolder } from '../disk/make-folder.ts';
import { BusyError, DiskError, IdInUseError, isDiskRefusal, isStoreError } from '../errors.ts';
import { lockRecord, type LockedRecord } from '../record/lock-record.ts';
import { readFacts } from '../record/read-facts.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { here } from '../supervision/here.ts';
import { recover } from '../supervision/recover.ts';

const LOCK_DEADLINE_MS = 10_000;

/**
 * Makes and locks the folder of a new record; the caller disposes the result. mkdir(2) is the reservation.
 *
 * What a launcher left that died before it recorded a process does not keep the id. The caller holds the root's lock.
 * Throws IdInUseError, DiskError, BusyError.
 */
export async function reserveRecord(
  root: StoreRoot,
  id: string,
  signal?: AbortSignal,
): Promise<LockedRecord> {
  const path = root.layout.record(id);
  for (;;) {
    signal?.throwIfAborted();
    if (!(await makeRecordFolder(path))) {
      if (await dropAbandoned(root, id, path)) continue;
      throw new IdInUseError(id, root.layout.root);
    }
    const record = await lockMade(id, path, signal);
    // Between the two somebody took our bare folder for an abandoned one and removed it.
    if (record === undefined) continue;
    if (await isOurs(record)) return record;
    await record[Symbol.asyncDispose]();
    throw new IdInUseError(id, root.layout.root);
  }
}

async function lockMade(
  id: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<LockedRecord | undefined> {
  try {
    return await lockRecord(id, path, { deadlineMs: LOCK_DEADLINE_MS, signal });
  } catch (error) {
    // On a full disk there is room for the folder, and none for its lock. Only an empty folder goes.
    if (isDiskRefusal(error)) await rmdir(path).catch(() => undefined);
    throw error;
  }
}

/** And if somebody else then made it again and was first at its lock, it is his. */
async function isOurs(record: LockedRecord): Promise<boolean> {
  try {
    return (await readFacts(record.directory, record.path)).empty;
  } catch (error) {
    await record[Symbol.asyncDispose]();
    throw error;
  }
}

/** Makes the folder of a record, or one for records; false if the name was taken. Throws DiskError. */
export async function makeRecordFolder(path: string): Promise<boolean> {
  try {
    return await makeFolder(path);
  } catch (error) {
    if (isDiskRefusal(error)) throw new DiskError('make', path, error);
    throw error;
  }
}

/** True if the folder is gone now: its launcher died early, and its lock was free. */
async function dropAbandoned(root: StoreRoot, id: string, path: string): Promise<boolean> {
  try {
    const record = await lockRecord(id, path, { deadlineMs: 0 });
    if (record === undefined) return true;
    await using held = record;
    const recovered = await recover(root.layout, held, here());
    if (recovered?.seen !== undefined && 'pidfd' in recovered.seen) recovered.seen.pidfd.close();
    return recovered === undefined;
  } catch (error) {
    // A launch, or a removal, is under way there.
    if (error instanceof BusyError) return false;
    // It has run, so it keeps its id.
    if (isStoreError(error, 'ERR_STORE_HELD_BACK')) return false;
    throw error;
  }
}
