import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { isPin } from '@pilotlight/scm-rights';
import { makeFolder } from '../disk/make-folder.ts';
import { errnoCode } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';
import { dropPin } from './drop-pin.ts';
import type { LockedRecord } from './lock-record.ts';

/**
 * Removes a locked record, its pin included.
 *
 * The rename takes it out of sight whole: after a crash there is either the record, or a folder under `gone/` that nobody
 * reads and that goes with the root.
 */
export async function removeRecord(layout: StoreLayout, record: LockedRecord): Promise<void> {
  // A mounted file cannot be removed, and a mount that moved away would be lost to us.
  dropMountedPin(record.pinPath);
  const gone = join(
    layout.gone,
    `${record.key.replace('/', ':').slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
  try {
    // Made with the root; only somebody's hand takes it away.
    await makeFolder(layout.gone);
    await rename(record.path, gone);
  } catch (error) {
    // Somebody removed the record, or the whole root, by hand.
    if (errnoCode(error) === 'ENOENT') return;
    throw error;
  }
  // Somebody who records the same exit may be adding a file just now.
  await rm(gone, { recursive: true, force: true, maxRetries: 3 });
}

/** What is no pin goes with the folder, whatever it is. */
function dropMountedPin(path: string): void {
  if (isPin(path)) dropPin(path);
}
