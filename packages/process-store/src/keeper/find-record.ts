import { type OwnedFd, pidfdInode } from '@pilotlight/scm-rights';
import { openDirectory } from '../disk/open-directory.ts';
import type { StoreLayout } from '../layout.ts';
import { listKeys } from '../record/list-keys.ts';
import { here } from '../supervision/here.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { readUnfinished, type Unfinished } from '../record/read-unfinished.ts';

/** A child that has ended and waits to be reaped. */
export interface Zombie {
  /** Its own while nobody reaps it, and only we do. */
  pid: number;
  pidfd: OwnedFd;
}

/** An unfinished record and its key. */
export interface FoundRecord extends Unfinished {
  key: string;
}

const AT_ONCE = 16;

/**
 * Which records without an exit are about which of these children, by pid.
 *
 * Reads them after the children have ended: what they ran was recorded before. Records that cannot be read are left out.
 */
export async function findRecords(
  layout: StoreLayout,
  zombies: readonly Zombie[],
): Promise<Map<number, FoundRecord>> {
  const found = new Map<number, FoundRecord>();
  const byPid = new Map(zombies.map((zombie) => [zombie.pid, zombie]));
  const keys = await listKeys(layout);
  for (let start = 0; start < keys.length; start += AT_ONCE) {
    const batch = keys.slice(start, start + AT_ONCE);
    const records = await Promise.all(batch.map((key) => readQuietly(layout, key)));
    for (const record of records) {
      const zombie = record === undefined ? undefined : byPid.get(record.proc.pid);
      if (record === undefined || zombie === undefined || !isSame(record, zombie)) continue;
      found.set(zombie.pid, record);
    }
  }
  return found;
}

function isSame({ proc }: Unfinished, { pid, pidfd }: Zombie): boolean {
  const { bootId, namespaces } = here();
  if (proc.bootId !== bootId || proc.namespaces.pid !== namespaces.pid) return false;
  const inode = pidfdInode(pidfd);
  if (inode !== undefined && proc.pidfsIno !== null) return inode === proc.pidfsIno;
  return readStartTicks(pid) === proc.startTicks;
}

async function readQuietly(layout: StoreLayout, key: string): Promise<FoundRecord | undefined> {
  try {
    await using directory = await openDirectory(layout.record(key));
    const unfinished = await readUnfinished(directory, layout.record(key));
    return typeof unfinished === 'string' ? undefined : { key, ...unfinished };
  } catch {
    // Deleted meanwhile, or damaged: the monitor reports the latter.
    return undefined;
  }
}
