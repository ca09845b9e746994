import { mkdir, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path/posix';
import {
  mountPrivately,
  type OwnedFd,
  type PidfdSupport,
  probePidfd,
  unmountPrivately,
} from '@pilotlight/scm-rights';
import { takeLock } from '../disk/lock.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { replaceFile } from '../disk/replace-file.ts';
import { writeOnce } from '../disk/write-once.ts';
import { BusyError, errnoCode, RootError } from '../errors.ts';
import { type StoreLayout, storeLayout } from '../layout.ts';
import { type MetaRecord, metaRecordSchema, type ProbeRecord } from '../record/meta-record.ts';
import { readRecord } from '../record/parse-record.ts';
import type { Tier } from '../record/proc-record.ts';
import { here } from '../supervision/here.ts';
import { cannot, checkRoot, makeRoot } from './check-root.ts';

const LOCK_DEADLINE_MS = 10_000;
/** Tidying is a courtesy: whoever is busy here tidies when done. */
const TIDY_DEADLINE_MS = 250;
/** How often the root may vanish under us, because another emptied it, before we call it a failure. */
const ATTEMPTS = 20;

/** Finds out what the kernel offers; `probePidfd` unless a test says otherwise. */
export type Probe = () => Promise<Pick<PidfdSupport, 'exitInfo' | 'pins'>>;

/** The root directory: made on demand, locked, prepared for pins, and removed when nothing is left in it. */
export class StoreRoot {
  readonly layout: StoreLayout;
  readonly #probe: Probe;
  #probed: ProbeRecord | undefined;

  /** `root` is an absolute directory. */
  constructor(root: string, probe: Probe = probePidfd) {
    this.layout = storeLayout(root);
    this.#probe = probe;
  }

  /** Checks the root if there is one, and changes nothing. Throws RootError. */
  async check(): Promise<void> {
    await checkRoot(this.layout.root);
  }

  /** Makes the root and what belongs into it, as far as it is missing. Throws RootError. */
  async create(): Promise<void> {
    const { root } = this.layout;
    for (let attempt = 1; ; attempt++) {
      const made = await makeRoot(root);
      try {
        await this.#furnish(made);
        return;
      } catch (error) {
        // Another process found the store empty and removed it just now.
        if (errnoCode(error) === 'ENOENT' && attempt < ATTEMPTS) continue;
        if (made) await rmdir(root).catch(() => undefined);
        throw cannot('make', root, error);
      }
    }
  }

  /** The shared lock for work on single records; the caller closes it. Undefined if there is no root. */
  async enter(signal?: AbortSignal): Promise<OwnedFd | undefined> {
    const options = { deadlineMs: LOCK_DEADLINE_MS, signal };
    return this.#guard('lock', () => takeLock(this.layout.lock, 'shared', options));
  }

  /** As {@link enter}, in a root that exists and, in tier A, takes pins. Throws RootError, BusyError. */
  async enterToLaunch(signal?: AbortSignal): Promise<{ lock: OwnedFd; tier: Tier }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.create();
      const lock = await this.enter(signal);
      if (lock === undefined) continue;
      let tier: Tier | undefined;
      try {
        // Under the lock: what it says holds for as long as we keep it, because removal needs the lock for itself.
        tier = preparedFor(await this.#readMeta());
      } finally {
        if (tier === undefined) lock.close();
      }
      if (tier !== undefined) return { lock, tier };
      await this.#prepare(signal);
    }
    const { root } = this.layout;
    throw new RootError(root, `prepare store ${root}: others keep removing it`, {
      hint: 'Look for a process that deletes this directory.',
    });
  }

  /** The tier of launches here. Probes once per boot, kernel, user and mount namespace, and remembers it in the root. */
  async tier(): Promise<Tier> {
    const known = currentProbe(await this.#readMeta());
    if (known !== undefined) return tierOf(known);
    const probe = await this.#runProbe();
    await this.#remember(probe);
    return tierOf(probe);
  }

  /** The ids that have a folder, sorted; none if there is no root. */
  async ids(): Promise<string[]> {
    return this.#guard('read', async () => {
      try {
        return (await readdir(this.layout.records)).toSorted();
      } catch (error) {
        if (errnoCode(error) === 'ENOENT') return [];
        throw error;
      }
    });
  }

  /**
   * Removes what the store made for itself, if it has no records: its files, its mount, and the root directory if it was
   * made by a store. Leaves everything to the next who tidies if others are at work.
   */
  async tidy(): Promise<void> {
    if ((await this.ids()).length > 0) return;
    let lock: OwnedFd | undefined;
    try {
      lock = await takeLock(this.layout.lock, 'exclusive', { deadlineMs: TIDY_DEADLINE_MS });
    } catch (error) {
      if (error instanceof BusyError || isRefusal(error)) return;
      throw error;
    }
    if (lock === undefined) return;
    let meta: MetaRecord | undefined;
    try {
      meta = await this.#readMeta();
      // The mount can only be undone where it was made.
      if (meta?.mount !== undefined && !isMountedHere(meta)) return;
      if (!(await this.#unfurnish())) return;
    } finally {
      // Before unmounting: a file of ours open in the mount would keep it busy.
      lock.close();
    }
    await this.#removeRoot(meta);
  }

  async #furnish(createdRoot: boolean): Promise<void> {
    const { root, records, gone, meta } = this.layout;
    await makeFolder(records);
    await makeFolder(gone);
    if ((await this.#readMeta()) !== undefined) return;
    await using directory = await openDirectory(root);
    const record: MetaRecord = { schema: 1, bootId: here().bootId, createdRoot };
    await writeOnce(directory, meta.slice(root.length + 1), formatMeta(record));
  }

  /** False if there are records after all. */
  async #unfurnish(): Promise<boolean> {
    const { root, records, gone, meta, lock } = this.layout;
    try {
      await rmdir(records);
    } catch (error) {
      if (errnoCode(error) === 'ENOTEMPTY') return false;
      if (errnoCode(error) !== 'ENOENT') throw error;
    }
    await rm(gone, { recursive: true, force: true });
    const temporaries = (await readdir(root)).filter((name) => name.startsWith('.meta.json.'));
    for (const name of temporaries) await rm(join(root, name), { force: true });
    await rm(meta, { force: true });
    // Last: from now on the lock guards nothing, and whoever waits for it starts anew.
    await unlink(lock);
    return true;
  }

  async #removeRoot(meta: MetaRecord | undefined): Promise<void> {
    const { root } = this.layout;
    if (!unmountPrivately(root)) {
      // Somebody is in there, or back already. Keep for the next one who made the directory.
      if (meta?.createdRoot === true) await this.#furnish(true);
      return;
    }
    if (meta?.createdRoot !== true) return;
    try {
      await rmdir(root);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(errnoCode(error) ?? '')) throw error;
    }
  }

  async #prepare(signal: AbortSignal | undefined): Promise<void> {
    const probe = currentProbe(await this.#readMeta()) ?? (await this.#runProbe());
    const options = { deadlineMs: LOCK_DEADLINE_MS, signal };
    using lock = await takeLock(this.layout.lock, 'exclusive', options);
    if (lock === undefined) return;
    const { root } = this.layout;
    const { bootId, namespaces } = here();
    const old = await this.#readMeta();
    // Alone, because two mounts on top of each other would hide the pins of the first.
    if (tierOf(probe) === 'A') await this.#guard('mount', () => mountPrivately(root));
    const meta: MetaRecord = {
      schema: 1,
      bootId,
      createdRoot: old?.createdRoot ?? false,
      probe,
      ...(tierOf(probe) === 'A' ? { mount: { bootId, mnt: namespaces.mnt } } : {}),
    };
    await replaceFile(root, 'meta.json', formatMeta(meta));
  }

  /** Only a cache: where it cannot be written, the next one probes again. */
  async #remember(probe: ProbeRecord): Promise<void> {
    try {
      const options = { deadlineMs: TIDY_DEADLINE_MS };
      using lock = await takeLock(this.layout.lock, 'exclusive', options);
      const meta = await this.#readMeta();
      if (lock === undefined || meta === undefined) return;
      await replaceFile(this.layout.root, 'meta.json', formatMeta({ ...meta, probe }));
    } catch (error) {
      if (!(error instanceof BusyError) && !isRefusal(error)) throw error;
    }
  }

  async #runProbe(): Promise<ProbeRecord> {
    if (this.#probed !== undefined) return this.#probed;
    const { exitInfo, pins } = await this.#probe();
    const { bootId, kernelRelease, uid, namespaces } = here();
    this.#probed = { bootId, kernelRelease, uid, mnt: namespaces.mnt, exitInfo, pins };
    return this.#probed;
  }

  async #readMeta(): Promise<MetaRecord | undefined> {
    return readRecord(this.layout.meta, metaRecordSchema);
  }

  async #guard<T>(action: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (errnoCode(error)?.startsWith('E') === true && !errnoCode(error)?.startsWith('ERR_')) {
        throw cannot(action, this.layout.root, error);
      }
      throw error;
    }
  }
}

function formatMeta(meta: MetaRecord): string {
  return `${JSON.stringify(meta)}\n`;
}

function tierOf({ exitInfo, pins }: ProbeRecord): Tier {
  return exitInfo && pins ? 'A' : 'D';
}

/** What was found out before, if it still holds for this process. */
function currentProbe(meta: MetaRecord | undefined): ProbeRecord | undefined {
  const { bootId, kernelRelease, uid, namespaces } = here();
  const probe = meta?.probe;
  const holds =
    probe?.bootId === bootId &&
    probe.kernelRelease === kernelRelease &&
    probe.uid === uid &&
    probe.mnt === namespaces.mnt;
  return holds ? probe : undefined;
}

/** The tier in which a launch may begin at once; undefined if something has to be prepared first. */
function preparedFor(meta: MetaRecord | undefined): Tier | undefined {
  const probe = currentProbe(meta);
  if (meta === undefined || probe === undefined) return undefined;
  const tier = tierOf(probe);
  return tier === 'D' || isMountedHere(meta) ? tier : undefined;
}

function isMountedHere({ mount }: MetaRecord): boolean {
  const { bootId, namespaces } = here();
  // A mount of an earlier boot is gone everywhere.
  return mount !== undefined && mount.bootId === bootId && mount.mnt === namespaces.mnt;
}

function isRefusal(error: unknown): boolean {
  return ['EROFS', 'EACCES', 'EPERM'].includes(errnoCode(error) ?? '');
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
  }
}
