import { unlink } from 'node:fs/promises';
import {
  closeAll,
  listenSeqpacket,
  type OwnedFd,
  setChildSubreaper,
  type SeqpacketSocket,
  type UnixServer,
} from '@pilotlight/scm-rights';
import { isFileAt } from '../disk/is-file-at.ts';
import { openDirectory } from '../disk/open-directory.ts';
import { replaceFile } from '../disk/replace-file.ts';
import { errnoCode, messageOf, NotFoundError } from '../errors.ts';
import { OrphanReaper } from '../keeper/orphan-reaper.ts';
import { shrinkMemoryWhenQuiet } from '../keeper/shrink-memory.ts';
import type { LaunchedRecord } from '../process/launch-attempt.ts';
import type { StoreContext } from '../process/store-context.ts';
import type { Tier } from '../record/proc-record.ts';
import type { LiveProcess } from '../process/live-process.ts';
import { StoreRoot } from '../root/store-root.ts';
import { here } from '../supervision/here.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { socketAddress } from './client/connect-monitor.ts';
import type { MonitorDuty } from './duty.ts';
import { LimitsDuty } from './limits-duty.ts';
import { LogDuty } from './log-duty.ts';
import { RestartDuty } from './restart-duty.ts';
import type { KeeperLink } from './keeper-link.ts';
import { KeptDescriptors } from './kept-descriptors.ts';
import { RecordFolders } from './record-folders.ts';
import { type ClientConnection, serveClient } from './serve-client.ts';
import { WatchList } from './watch-list.ts';
import {
  clientMessageSchema,
  type HeldRole,
  type MonitorInfo,
  type SettledState,
} from './wire/client-protocol.ts';
import { Packets } from './wire/packets.ts';

export interface MonitorOptions {
  /** Absolute directory. */
  root: string;
  /** How long it stays with nothing to do, in milliseconds. */
  idleMs: number;
  /** The lock of monitor.lock, which it takes over. */
  lock: OwnedFd;
  /** Its keeper, of which it has learnt what was held before. */
  keeper: KeeperLink;
  /** Takes over what {@link KeeperLink.begin} gave. */
  kept: KeptDescriptors;
  duties?: readonly MonitorDuty[];
}

/** Why the monitor's work is over. */
export type MonitorEnd = 'left' | 'root gone';

/**
 * Watches the processes of one root, records their ends when they happen, holds descriptors for them, launches where only a
 * parent learns a status, and leaves when there is nothing to do.
 */
export class Monitor {
  readonly root: string;
  readonly #options: MonitorOptions;
  readonly #store: StoreRoot;
  readonly #list: WatchList;
  readonly #duties: readonly MonitorDuty[];
  readonly #folders: RecordFolders;
  readonly #clients = new Set<ClientConnection>();
  readonly #live = new Map<string, LiveProcess>();
  readonly #startedAt: string = new Date().toISOString();
  readonly #ending = Promise.withResolvers<MonitorEnd>();
  #server: UnixServer<SeqpacketSocket> | undefined;
  #reaper: OrphanReaper | undefined;
  #launches = 0;
  #hasLaunched = false;
  #tidyAfter = false;
  #isLeaving = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: MonitorOptions) {
    const { root, kept } = options;
    this.root = root;
    this.#options = options;
    this.#store = new StoreRoot(root, undefined, 'C');
    const onChange = (): void => {
      shrinkMemoryWhenQuiet();
      this.#considerLeaving();
    };
    this.#duties = options.duties ?? this.#standardDuties(onChange);
    const duties = this.#duties;
    this.#list = new WatchList({ root: this.#store, kept, duties, onChange });
    this.#folders = new RecordFolders(this.#store.layout, this.#list, () => this.#checkRoot());
  }

  /** Works until it leaves. Rejects if it cannot begin; nothing is left of it then. */
  async run(): Promise<MonitorEnd> {
    const { keeper, kept } = this.#options;
    try {
      await this.#listen();
      // Only for people: a full disk is no reason not to begin.
      await this.#describeItself().catch((error: unknown) => this.#reportOwn(error));
      void keeper.untilGone().then(() => this.#goOnAlone());
      await keeper.report({ type: 'ready' });
      // A record that was deleted while no monitor lived needs nothing any more.
      await Promise.all([
        this.#folders.start(),
        ...[...kept.keys()].map((key) => this.#folders.look(key)),
      ]);
      this.#considerLeaving();
      return await this.#ending.promise;
    } finally {
      await this.#end();
    }
  }

  /** From here on nothing new begins: whoever asks for it is hung up on, and asks the next monitor. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  info(): MonitorInfo {
    const { keeper, kept, idleMs } = this.#options;
    const problems = [...this.#list.problems].map(([key, message]) => ({ key, message }));
    return {
      pid: process.pid,
      startedAt: this.#startedAt,
      keeperPid: keeper.keeperPid ?? null,
      unprotected: keeper.keeperPid === undefined,
      watching: this.#list.size,
      held: kept.size,
      idleMs,
      problems: problems.slice(0, 50),
    };
  }

  /**
   * Takes over descriptors of a process that is recorded, or about to be; resolves when the keeper holds them too. Throws
   * NotFoundError.
   */
  async keep(key: string, held: readonly { role: HeldRole; fd: OwnedFd }[]): Promise<void> {
    try {
      await (await openDirectory(this.#store.layout.record(key))).close();
    } catch (error) {
      closeAll(held.map(({ fd }) => fd));
      if (errnoCode(error) === 'ENOENT') throw new NotFoundError(key, this.root, []);
      throw error;
    }
    await Promise.all(held.map(({ role, fd }) => this.#options.kept.keep(key, role, fd)));
    // It was reserved before we were told; if it is given up, its folder goes.
    void this.#folders.look(key);
    this.#considerLeaving();
  }

  /** Watches a recorded process; resolves when all that is done for it has begun. Throws NotFoundError. */
  async attend(key: string): Promise<void> {
    await this.#folders.look(key);
    if (!this.#list.isWatched(key)) throw new NotFoundError(key, this.root, this.#list.keys());
  }

  /** Still owned by the monitor. */
  held(key: string, role: HeldRole): OwnedFd | undefined {
    return this.#options.kept.get(key, role);
  }

  /** See {@link WatchList.settle}. */
  async settle(key: string): Promise<SettledState> {
    return this.#list.settle(key);
  }

  /** What a launch here works with. */
  launchContext(at: StoreContext['at'], tier: Tier = 'C'): StoreContext {
    const root = tier === 'C' ? this.#store : new StoreRoot(this.root, undefined, tier);
    const own = {
      keep: (key: string, held: Parameters<Monitor['keep']>[1]) => this.keep(key, held),
      attend: (key: string) => this.attend(key),
    };
    return { root, live: this.#live, launcher: undefined, executor: undefined, at, own };
  }

  /** Stays as long as `launch` takes. */
  async duringLaunch<T>(launch: () => Promise<T>): Promise<T> {
    this.#launches += 1;
    this.#hasLaunched = true;
    try {
      return await launch();
    } finally {
      this.#launches -= 1;
      this.#considerLeaving();
    }
  }

  /** Watches what was launched here, too: should its parent, our zygote, die, its end is seen all the same. */
  attendLaunched({ live }: LaunchedRecord): void {
    void this.#folders.look(live.key);
    void live.left.then(() => {
      if (this.#live.get(live.key) === live) this.#live.delete(live.key);
      this.#considerLeaving();
    });
  }

  /** Whether it may leave at the wish of somebody who removes the root: nothing is recorded, and nothing under way. */
  async mayLeave(): Promise<boolean> {
    if (this.#launches > 0) return false;
    if ((await this.#store.ids()).length > 0) return false;
    // Deleted when its end was recorded, and about to be reaped.
    await Promise.all([...this.#live.values()].map(({ left }) => left));
    // A launch may have come meanwhile; one that comes from here on does not begin.
    this.#isLeaving = this.#launches === 0;
    return this.#isLeaving;
  }

  /** With `tidy` the keeper removes the root afterwards if it is empty. */
  leave({ tidy }: { tidy: boolean }): void {
    this.#isLeaving = true;
    this.#tidyAfter = tidy;
    this.#ending.resolve('left');
  }

  #standardDuties(onChange: () => void): MonitorDuty[] {
    const onWarning = (key: string, message: string): void => {
      this.#list.problems.set(key, message);
    };
    return [
      new LogDuty({ onWarning, onChange }),
      new LimitsDuty(this.#store.layout, (key, error) => onWarning(key, messageOf(error))),
      new RestartDuty({
        root: this.#store,
        context: (tier) => this.launchContext(() => undefined, tier),
        launch: async (launch) => {
          const launched = await this.duringLaunch(launch);
          this.attendLaunched(launched);
          return launched;
        },
        onWarning,
        onChange,
      }),
    ];
  }

  async #listen(): Promise<void> {
    const { layout } = this.#store;
    // The lock is ours, so nobody listens there any more.
    await unlink(layout.monitorSocket).catch((error: unknown) => {
      if (errnoCode(error) !== 'ENOENT') throw error;
    });
    await using directory = await openDirectory(this.root);
    this.#server = listenSeqpacket(socketAddress(directory.fd), { mode: 0o600 });
    this.#server.on('connection', (socket) => void this.#serve(socket));
    this.#server.on('error', () => undefined);
  }

  async #serve(socket: SeqpacketSocket): Promise<void> {
    const client: ClientConnection = new Packets(socket, clientMessageSchema);
    this.#clients.add(client);
    clearTimeout(this.#idle);
    await serveClient(this, client);
    this.#clients.delete(client);
    this.#considerLeaving();
  }

  /** For people. */
  async #describeItself(): Promise<void> {
    const { bootId } = here();
    const { keeperPid } = this.#options.keeper;
    const facts = {
      schema: 1,
      pid: process.pid,
      startTicks: String(readStartTicks(process.pid)),
      bootId,
      socket: this.#store.layout.monitorSocket,
      keeperPid: keeperPid ?? null,
      startedAt: this.#startedAt,
    };
    await replaceFile(this.root, 'monitor.json', `${JSON.stringify(facts)}\n`);
  }

  /** The keeper has died: what our zygote leaves behind comes to us from now on, if it dies as well. */
  #goOnAlone(): void {
    setChildSubreaper();
    this.#reaper = new OrphanReaper(this.#store.layout, 'parent');
    void this.#reaper.sweep();
    this.#considerLeaving();
  }

  #checkRoot(): void {
    try {
      if (!isFileAt(this.#store.layout.monitorLock, this.#options.lock)) {
        this.#ending.resolve('root gone');
      }
    } catch (error) {
      this.#reportOwn(error);
    }
    this.#considerLeaving();
  }

  /** What belongs to no record. */
  #reportOwn(error: unknown): void {
    this.#list.problems.set('', messageOf(error));
  }

  /** Starts or stops the clock. */
  #considerLeaving(): void {
    clearTimeout(this.#idle);
    const isBusy =
      this.#clients.size > 0 ||
      this.#launches > 0 ||
      this.#live.size > 0 ||
      this.#options.kept.size > 0 ||
      this.#duties.some((duty) => duty.isBusy === true) ||
      this.#list.isNeeded;
    if (!isBusy) this.#idle = setTimeout(() => this.leave({ tidy: true }), this.#options.idleMs);
  }

  async #end(): Promise<void> {
    const { lock, keeper, kept } = this.#options;
    clearTimeout(this.#idle);
    this.#folders.close();
    this.#list.close();
    for (const duty of this.#duties) await duty.close?.();
    this.#reaper?.[Symbol.dispose]();
    // Whoever connects from here on finds nobody, and waits for the lock of the keeper.
    this.#server?.close();
    if (this.#hasLaunched) await closeZygote();
    const { layout } = this.#store;
    if (isFileAt(layout.monitorLock, lock)) {
      for (const path of [layout.monitorSocket, layout.monitorInfo, layout.monitorLock]) {
        await unlink(path).catch(() => undefined);
      }
    }
    await keeper.report({ type: 'leave', tidy: this.#tidyAfter });
    for (const client of this.#clients) client.close();
    kept[Symbol.dispose]();
    lock.close();
    keeper[Symbol.dispose]();
  }
}

/** The one that its launches have started; what it has forked lives on. */
async function closeZygote(): Promise<void> {
  try {
    const { sharedZygote } = await import('@pilotlight/init');
    await (await sharedZygote()).close();
  } catch {
    // It ends with this process in any case.
  }
}
