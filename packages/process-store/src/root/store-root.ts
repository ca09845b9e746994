import { readdir, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path/posix';
import {
  mountPrivately,
  type OwnedFd,
  type PidfdSupport,
  probePidfd,
  unmountPrivately,
} from '@pilotlight/scm-rights';
import { takeLock } from '../disk/lock.ts';
import { makeFolder } from '../disk/make-folder.ts';
import { namesIn } from '../disk/names-in.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { replaceFile } from '../disk/replace-file.ts';
import { writeOnce } from '../disk/write-once.ts';
import {
  BadRecordError,
  BusyError,
  DiskError,
  errnoCode,
  isDiskRefusal,
  NewerSchemaError,
  RootError,
} from '../errors.ts';
import { type StoreLayout, storeLayout } from '../layout.ts';
import { type MetaRecord, metaRecordSchema, type ProbeRecord } from '../record/meta-record.ts';
import { readRecord } from '../record/parse-record.ts';
import type { Tier } from '../record/proc-record.ts';
import { listExecKeys } from '../record/list-keys.ts';
import { sweepGone } from '../record/sweep-gone.ts';
import { dismissPair, removePairFiles } from '../keeper/dismiss-pair.ts';
import { type AtExit, nowhere } from '../supervision/exit-step.ts';
import { here } from '../supervision/here.ts';
import { cannot, checkRoot, makeRoot } from './check-root.ts';
import { chooseTier } from './tier.ts';

const LOCK_DEADLINE_MS = 10_000;
/** Tidying is a courtesy: whoever is busy here tidies when done. */
const TIDY_DEADLINE_MS = 250;
const TIDY_ATTEMPTS = 3;
/** Until it is looked again whether somebody else has prepared the root. */
const PREPARE_DEADLINE_MS = 100;
/** How often the root may vanish under us, because another emptied it, before we call it a failure. */
const ATTEMPTS = 20;

/** Finds out what the kernel offers; `probePidfd` unless a test says otherwise. */
export type Probe = () => Promise<Pick<PidfdSupport, 'exitInfo' | 'pins'>>;

/** The root directory: made on demand, locked, prepared for pins, and removed when nothing is left in it. */
export class StoreRoot {
  readonly layout: StoreLayout;
  /** What is at the steps of exits in this root. */
  readonly atExit: AtExit;
  readonly #probe: Probe;
  readonly #wanted: Tier | undefined;
  #probed: ProbeRecord | undefined;

  /** `root` is an absolute directory; `wanted` a tier that launches have instead of the best one. */
  constructor(root: string, probe: Probe = probePidfd, wanted?: Tier, atExit: AtExit = nowhere) {
    this.atExit = atExit;
    this.layout = storeLayout(root);
    this.#probe = probe;
    this.#wanted = wanted;
  }

  /** Checks the root if there is one, and changes nothing. Throws RootError. */
  async check(): Promise<void> {
    await checkRoot(this.layout.root);
  }

  /** Makes the root and what belongs into it, as far as it is missing. Throws RootError, BusyError. */
  async create(): Promise<void> {
    const { root } = this.layout;
    let made = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Another process may find the store empty and remove it meanwhile: then it is made anew.
      if (await makeRoot(root)) made = true;
      else if (!made && (await this.#isFurnished())) return;
      const done = await this.#guard('make', () => this.#furnish(made)).catch(async (error) => {
        await this.#clearAway(made);
        throw error;
      });
      if (done) return;
    }
    throw this.#vanishing();
  }

  /** After a failure to make it: removes what was made. */
  async #clearAway(made: boolean): Promise<void> {
    try {
      await this.tidy();
      if (made) await rmdir(this.layout.root);
    } catch {
      // The failure itself is what matters.
    }
  }

  /** The shared lock for work on single records; the caller closes it. Undefined if there is no root. */
  async enter(signal?: AbortSignal): Promise<OwnedFd | undefined> {
    const options = { deadlineMs: LOCK_DEADLINE_MS, signal };
    return this.#guard('lock', () => takeLock(this.layout.lock, 'shared', options));
  }

  /** A lock that keeps the root from being tidied away, and hinders nothing else; the caller closes it. Throws RootError, BusyError. */
  async enterToWatch(signal?: AbortSignal): Promise<OwnedFd> {
    const options = { deadlineMs: LOCK_DEADLINE_MS, signal };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.create();
      const held = await takeLock(this.layout.watchers, 'shared', options);
      if (held === undefined) continue;
      // Else it was tidied away after it was made and before it was ours.
      if (await this.#isFurnished()) return held;
      held.close();
    }
    throw this.#vanishing();
  }

  /** As {@link enter}, in a root that exists and, in tier A, takes pins. Throws RootError, BusyError. */
  async enterToLaunch(signal?: AbortSignal): Promise<{ lock: OwnedFd; tier: Tier }> {
    const end = performance.now() + LOCK_DEADLINE_MS;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.create();
      const lock = await this.enter(signal);
      if (lock === undefined) continue;
      let tier: Tier | undefined;
      try {
        // Under the lock: what it says holds for as long as we keep it, because removal needs the lock for itself.
        if (await this.#isFurnished()) tier = preparedFor(await this.#readMeta(), this.#wanted);
      } finally {
        if (tier === undefined) lock.close();
      }
      if (tier !== undefined) return { lock, tier };
      try {
        await this.#prepare(signal);
      } catch (error) {
        // Whoever else prepared it may be launching one process after the other, and never leave the lock free.
        if (!(error instanceof BusyError) || performance.now() > end) throw error;
        attempt -= 1;
      }
    }
    throw this.#vanishing();
  }

  /** The tier of launches here: the one that was asked for, or the best. Throws TierError. */
  async tier(): Promise<Tier> {
    return chooseTier(await this.probe(), this.#wanted);
  }

  /** What the kernel offers. Probes once per boot, kernel, user and mount namespace, and remembers it in the root. */
  async probe(): Promise<ProbeRecord> {
    const known = currentProbe(await this.#readMeta());
    if (known !== undefined) return known;
    const probe = await this.#runProbe();
    await this.#remember(probe);
    return probe;
  }

  /** The ids that have a folder, sorted; none if there is no root. */
  async ids(): Promise<string[]> {
    return this.#guard('read', async () => (await namesIn(this.layout.records)).toSorted());
  }

  /** The keys of what was executed in a container, sorted; none if nothing was. */
  async execs(container: string): Promise<string[]> {
    return this.#guard('read', async () => (await listExecKeys(this.layout, container)).toSorted());
  }

  /** The keys of all records, each container before what was executed in it. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for (const id of await this.ids()) {
      keys.push(id, ...(await this.execs(id)));
    }
    return keys;
  }

  /**
   * Removes what the store made for itself, if it has no records: its files, its mount, and the root directory if it was
   * made by a store. Leaves everything to the next who tidies if others are at work.
   */
  async tidy(): Promise<void> {
    for (let attempt = 0; attempt < TIDY_ATTEMPTS; attempt++) {
      if (await this.#tidyOnce()) return;
    }
  }

  /** False if it is worth another try. */
  async #tidyOnce(): Promise<boolean> {
    if ((await this.ids()).length > 0) return true;
    let lock: OwnedFd | undefined;
    try {
      lock = await takeLock(this.layout.lock, 'exclusive', { deadlineMs: TIDY_DEADLINE_MS });
    } catch (error) {
      if (error instanceof BusyError || isRefusal(error)) return true;
      throw error;
    }
    if (lock === undefined) return true;
    let meta: MetaRecord | undefined | 'unreadable';
    try {
      using unwatched = await this.#lockOutWatchers();
      if (unwatched === undefined) return true;
      meta = await this.#readMeta().catch(leaveUnreadable);
      if (meta === 'unreadable') return true;
      // The mount can only be undone where it was made.
      if (isMountedElsewhere(meta)) return true;
      // Nothing can be launched while we have the lock, so a pair that is still there has nothing to do.
      if ((await this.ids()).length > 0 || !(await dismissPair(this.layout))) return true;
      if (!(await this.#unfurnish())) return true;
    } finally {
      // Before unmounting: a file of ours open in the mount would keep it busy.
      lock.close();
    }
    return this.#removeRoot(meta);
  }

  /** Undefined if somebody watches events, and will tidy when done. */
  async #lockOutWatchers(): Promise<Disposable | undefined> {
    try {
      return await takeLock(this.layout.watchers, 'exclusive', { deadlineMs: 0 });
    } catch (error) {
      if (error instanceof BusyError) return undefined;
      // On a full disk the file cannot be made, and those who watch would have made it.
      if (isDiskRefusal(error)) return { [Symbol.dispose]() {} };
      throw error;
    }
  }

  async #isFurnished(): Promise<boolean> {
    const { records, gone } = this.layout;
    const stats = await Promise.all(
      [records, gone].map((path) => stat(path).catch(() => undefined)),
    );
    return !stats.includes(undefined) && (await this.#readMeta()) !== undefined;
  }

  /** False if the root has gone. Under the lock, which keeps it from being tidied away in between. */
  async #furnish(createdRoot: boolean): Promise<boolean> {
    const { root, records, gone } = this.layout;
    using lock = await takeLock(this.layout.lock, 'shared', { deadlineMs: LOCK_DEADLINE_MS });
    if (lock === undefined) return false;
    await makeFolder(records);
    await makeFolder(gone);
    await using directory = await openDirectory(root);
    const record: MetaRecord = { schema: 1, bootId: here().bootId, createdRoot };
    if (await writeOnce(directory, 'meta.json', formatMeta(record))) return true;
    const meta = await this.#readMeta();
    // Somebody was faster with the file than we, who made the directory.
    if (createdRoot && meta?.createdRoot === false) {
      await replaceFile(root, 'meta.json', formatMeta({ ...meta, createdRoot }));
    }
    return true;
  }

  /** False if there are records after all. */
  async #unfurnish(): Promise<boolean> {
    const { root, records, gone, events, watchers, meta, lock } = this.layout;
    try {
      await rmdir(records);
    } catch (error) {
      if (errnoCode(error) === 'ENOTEMPTY') return false;
      if (errnoCode(error) !== 'ENOENT') throw error;
    }
    await sweepGone(this.layout);
    await rm(gone, { recursive: true, force: true });
    await rm(events, { recursive: true, force: true });
    await removePairFiles(this.layout);
    const temporaries = (await readdir(root)).filter((name) =>
      /^\.(meta|monitor)\.json\./.test(name),
    );
    for (const name of temporaries) await rm(join(root, name), { force: true });
    await rm(meta, { force: true });
    await rm(watchers, { force: true });
    // Last: from now on the lock guards nothing, and whoever waits for it starts anew.
    await unlink(lock);
    return true;
  }

  /** False if somebody was faster to come back than we to leave. */
  async #removeRoot(meta: MetaRecord | undefined): Promise<boolean> {
    const { root } = this.layout;
    const createdRoot = meta?.createdRoot ?? false;
    try {
      if (unmountPrivately(root)) {
        if (createdRoot) await rmdir(root);
        return true;
      }
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return true;
      if (errnoCode(error) !== 'ENOTEMPTY' && errnoCode(error) !== 'EBUSY') throw error;
    }
    // They found the directory and take it for a given one: tell them whose it was.
    if (createdRoot) await this.#furnish(true);
    return !createdRoot;
  }

  async #prepare(signal: AbortSignal | undefined): Promise<void> {
    const probe = currentProbe(await this.#readMeta()) ?? (await this.#runProbe());
    const options = { deadlineMs: PREPARE_DEADLINE_MS, signal };
    using lock = await takeLock(this.layout.lock, 'exclusive', options);
    if (lock === undefined) return;
    const { root } = this.layout;
    const { bootId, namespaces } = here();
    const old = await this.#readMeta();
    // Alone, because two mounts on top of each other would hide the pins of the first.
    const mounts = chooseTier(probe, this.#wanted) === 'A';
    if (mounts) await this.#guard('mount', () => mountPrivately(root));
    const meta: MetaRecord = {
      schema: 1,
      bootId,
      createdRoot: old?.createdRoot ?? false,
      probe,
      // Launches in a lower tier leave a mount of others as it is.
      mount: mounts ? { bootId, mnt: namespaces.mnt } : old?.mount,
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

  #vanishing(): RootError {
    const { root } = this.layout;
    return new RootError(root, `prepare store ${root}: others keep removing it`, {
      hint: 'Look for a process that deletes this directory.',
    });
  }

  async #readMeta(): Promise<MetaRecord | undefined> {
    return readRecord(this.layout.meta, metaRecordSchema);
  }

  async #guard<T>(action: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof DiskError) throw error;
      if (isDiskRefusal(error)) throw new DiskError(`${action} store`, this.layout.root, error);
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
function preparedFor(meta: MetaRecord | undefined, wanted: Tier | undefined): Tier | undefined {
  const probe = currentProbe(meta);
  if (meta === undefined || probe === undefined) return undefined;
  const tier = chooseTier(probe, wanted);
  return tier !== 'A' || isMountedHere(meta) ? tier : undefined;
}

function isMountedHere({ mount }: MetaRecord): boolean {
  const { bootId, namespaces } = here();
  // A mount of an earlier boot is gone everywhere.
  return mount !== undefined && mount.bootId === bootId && mount.mnt === namespaces.mnt;
}

function isMountedElsewhere(meta: MetaRecord | undefined): boolean {
  const { bootId, namespaces } = here();
  return meta?.mount?.bootId === bootId && meta.mount.mnt !== namespaces.mnt;
}

function isRefusal(error: unknown): boolean {
  return isDiskRefusal(error) || ['EACCES', 'EPERM'].includes(errnoCode(error) ?? '');
}

/** A store whose own file cannot be read is used until somebody has looked at it, and not tidied away. */
function leaveUnreadable(error: unknown): 'unreadable' {
  if (error instanceof BadRecordError || error instanceof NewerSchemaError) return 'unreadable';
  throw error;
}
