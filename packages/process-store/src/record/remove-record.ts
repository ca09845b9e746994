import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { unpin } from '@pilotlight/scm-rights';
import type { StoreLayout } from '../layout.ts';
import type { LockedRecord } from './lock-record.ts';

/**
 * Removes a locked record, its pin included.
 *
 * The rename takes it out of sight whole: after a crash there is either the record, or a folder under `gone/` that nobody
 * reads and that goes with the root.
 */
export async function removeRecord(layout: StoreLayout, record: LockedRecord): Promise<void> {
  // A mounted file cannot be removed, and a mount that moved away would be lost to us.
  unpin(record.pinPath);
  const gone = join(
    layout.gone,
    `${record.key.replace('/', ':').slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
  await rename(record.path, gone);
  // Somebody who records the same exit may be adding a file just now.
  await rm(gone, { recursive: true, force: true, maxRetries: 3 });
}
