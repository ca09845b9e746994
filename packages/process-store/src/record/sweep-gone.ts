import { rm } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { tryLock, unpin } from '@pilotlight/scm-rights';
import { namesIn } from '../disk/names-in.ts';
import { errnoCode } from '../errors.ts';
import { recordFiles, type StoreLayout } from '../layout.ts';

/**
 * Removes what crashes left in `gone/`: folders on their way out, and the beginnings of restarts that came to nothing. What
 * somebody still works on is left.
 */
export async function sweepGone({ gone }: StoreLayout): Promise<void> {
  for (const name of await namesIn(gone)) {
    const folder = join(gone, name);
    try {
      using lock = tryLock(join(folder, recordFiles.lock), 'exclusive');
      if (lock === undefined) continue;
      // A mounted file cannot be removed. Its process is one that waits at a gate nobody will open.
      unpin(join(folder, recordFiles.pin));
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      // Its owner has finished it meanwhile.
      if (errnoCode(error) !== 'ENOENT' && errnoCode(error) !== 'ENOTDIR') throw error;
    }
  }
}
