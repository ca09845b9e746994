import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, type OwnedFd, SeqpacketSocket, socketpair } from '@pilotlight/scm-rights';
import { isFileAt } from '../disk/is-file-at.ts';
import { MonitorError } from '../errors.ts';
import { type StoreLayout, storeLayout } from '../layout.ts';
import { Holdings } from '../monitor/holdings.ts';
import {
  type KeeperMessage,
  type MonitorReport,
  monitorReportSchema,
} from '../monitor/wire/keeper-protocol.ts';
import { Packets, type Received } from '../monitor/wire/packets.ts';
import { fromWireError } from '../monitor/wire/wire-error.ts';
import { OrphanReaper } from './orphan-reaper.ts';
import { nodeFlags, nodePath, programEnvironment, programFile } from './program.ts';
import type { PairSettings } from './settings.ts';
import { shrinkMemoryWhenQuiet } from './shrink-memory.ts';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 10_000;
/** A monitor that has lived for so long did not die of its start. */
const HEALTHY_MS = 10_000;

/** Why the keeper's work is over; with `tidy` nobody removes the empty root but us. */
export type KeeperEnd = 'left' | 'left, tidy' | 'root gone';

/**
 * Stands above the monitor of a root: inherits its processes when it dies and records their ends, holds a duplicate of all it
 * holds, and starts it again. Does nothing else, so that nothing else can go wrong in it.
 */
export class Keeper {
  readonly #settings: PairSettings;
  readonly #layout: StoreLayout;
  readonly #lock: OwnedFd;
  readonly #holdings = new Holdings();
  readonly #reaper: OrphanReaper;
  #leaving: { tidy: boolean } | undefined;
  #wasReady = false;

  /** Takes over `lock`, which is the lock of keeper.lock. This process is the subreaper of its descendants by then. */
  constructor(settings: PairSettings, lock: OwnedFd) {
    this.#settings = settings;
    this.#layout = storeLayout(settings.root);
    this.#lock = lock;
    this.#reaper = new OrphanReaper(this.#layout, 'keeper');
  }

  /**
   * Keeps a monitor running until it leaves, or the root is gone. `onReady` is called once, when it listens.
   *
   * Rejects if the first one cannot work; the lock is free then.
   */
  async run(onReady: () => void): Promise<KeeperEnd> {
    try {
      for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
        const started = performance.now();
        const failure = await this.#runMonitor(onReady);
        await this.#reaper.sweep();
        if (this.#leaving !== undefined) return this.#leaving.tidy ? 'left, tidy' : 'left';
        if (this.#isRootGone()) return 'root gone';
        if (!this.#wasReady) throw failure;
        if (performance.now() - started > HEALTHY_MS) delay = FIRST_DELAY_MS;
        await sleep(delay);
      }
    } finally {
      this.#reaper[Symbol.dispose]();
      this.#holdings[Symbol.dispose]();
      this.#free();
    }
  }

  /** One monitor, from its start to its end. */
  async #runMonitor(onReady: () => void): Promise<unknown> {
    const [ours, theirs] = socketpair('seqpacket');
    let child: ChildProcess;
    try {
      child = spawn(
        nodePath(),
        [...nodeFlags, programFile('monitor'), JSON.stringify(this.#settings)],
        {
          argv0: 'pilotlight-monitor',
          env: programEnvironment(),
          cwd: '/',
          stdio: ['ignore', 'ignore', 'ignore', theirs.fd],
        },
      );
    } catch (error) {
      ours.close();
      return error;
    } finally {
      theirs.close();
    }
    using monitor = new Packets<MonitorReport, KeeperMessage>(
      new SeqpacketSocket(ours),
      monitorReportSchema,
    );
    // The 'error' of a program that cannot be started comes in its place.
    const ended = once(child, 'exit').catch((error: unknown) => error);
    const talked = this.#talk(monitor, onReady).catch((error: unknown) => error);
    const end = await ended;
    // What it said last may still be on its way: 'leave', above all.
    const failure = await talked;
    if (failure !== undefined) return failure;
    if (end instanceof Error) return end;
    return new MonitorError(this.#settings.root, `it ended with ${String(end)}`);
  }

  /** Until the monitor hangs up. Returns why it could not work, if it said so. */
  async #talk(
    monitor: Packets<MonitorReport, KeeperMessage>,
    onReady: () => void,
  ): Promise<unknown> {
    for (const [name, fd] of this.#holdings.entries()) {
      await monitor.send({ type: 'hold', name }, [fd]);
    }
    await monitor.send({ type: 'begin', keeperPid: process.pid });
    let failure: unknown;
    for (;;) {
      const received = await monitor.receive();
      if (received === undefined) return failure;
      if (received.message.type === 'unfit') failure = await fromWireError(received.message.error);
      await this.#take(monitor, received, onReady);
      shrinkMemoryWhenQuiet();
    }
  }

  async #take(
    monitor: Packets<MonitorReport, KeeperMessage>,
    { message, fds }: Received<MonitorReport>,
    onReady: () => void,
  ): Promise<void> {
    switch (message.type) {
      case 'ready':
        if (!this.#wasReady) onReady();
        this.#wasReady = true;
        break;
      case 'hold': {
        const fd = fds.shift();
        if (fd === undefined) break;
        this.#holdings.put(message.name, fd);
        await monitor.send({ type: 'held', name: message.name });
        break;
      }
      case 'release':
        this.#holdings.release(message.name);
        break;
      case 'leave':
        this.#leaving = { tidy: message.tidy };
        break;
      case 'unfit':
        break;
    }
    closeAll(fds);
  }

  #isRootGone(): boolean {
    return !isFileAt(this.#layout.keeperLock, this.#lock);
  }

  /** While the lock is held: whoever opens the file later makes a new one. */
  #free(): void {
    try {
      if (!this.#isRootGone()) unlinkSync(this.#layout.keeperLock);
    } finally {
      this.#lock.close();
    }
  }
}
