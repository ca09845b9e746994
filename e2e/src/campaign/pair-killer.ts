import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessStore } from '@pilotlight/process-store';
import {
  dupFd,
  isSyscallError,
  type OwnedFd,
  pidfdOpen,
  pidfdSendSignal,
  waitPidfd,
} from '@pilotlight/scm-rights';

export type PairVictim = 'monitor' | 'keeper';

const WHOLE_MS = 60_000;

/** Monitor and keeper of a root, each held. */
interface HeldPair extends Disposable {
  monitor: OwnedFd;
  keeper: OwnedFd;
}

/** Kills monitor and keeper of one root. */
export class PairKiller implements Disposable {
  readonly kills: Record<PairVictim, number> = { monitor: 0, keeper: 0 };
  readonly #store: ProcessStore;
  /** A monitor whose keeper is dead: it works until it has nothing to do. */
  #unprotected: OwnedFd | undefined;

  constructor(store: ProcessStore) {
    this.#store = store;
  }

  /** Kills one of a whole pair; false if there is none before `signal`. */
  async killOne(victim: PairVictim, signal: AbortSignal): Promise<boolean> {
    using pair = await this.#untilWhole(signal);
    if (pair === undefined) return false;
    if (victim === 'keeper') this.#unprotected = dupFd(pair.monitor, 'unprotected monitor');
    await this.#kill(victim, pair[victim]);
    return true;
  }

  /** Kills both, one right after the other. */
  async killBoth(first: PairVictim, signal: AbortSignal): Promise<boolean> {
    using pair = await this.#untilWhole(signal);
    if (pair === undefined) return false;
    const second = first === 'monitor' ? 'keeper' : 'monitor';
    await Promise.all([this.#kill(first, pair[first]), this.#kill(second, pair[second])]);
    return true;
  }

  /** Resolves when a monitor without a keeper has left, so that the next launch starts a whole pair. */
  async untilQuiet(): Promise<void> {
    using monitor = this.#unprotected;
    this.#unprotected = undefined;
    if (monitor !== undefined) {
      await waitPidfd(monitor, { signal: AbortSignal.timeout(WHOLE_MS) });
    }
  }

  [Symbol.dispose](): void {
    this.#unprotected?.close();
  }

  async #untilWhole(signal: AbortSignal): Promise<HeldPair | undefined> {
    while (!signal.aborted) {
      const pair = await this.#hold();
      if (pair !== undefined) return pair;
      await sleep(20, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  async #hold(): Promise<HeldPair | undefined> {
    const { root } = this.#store;
    const { monitor } = await this.#store.info();
    if (monitor === undefined || monitor.keeperPid === null || monitor.unprotected)
      return undefined;
    const held = open(monitor.pid, root);
    const keeper = open(monitor.keeperPid, root);
    if (held !== undefined && keeper !== undefined) {
      return {
        monitor: held,
        keeper,
        [Symbol.dispose]() {
          held.close();
          keeper.close();
        },
      };
    }
    held?.close();
    keeper?.close();
    return undefined;
  }

  async #kill(victim: PairVictim, pidfd: OwnedFd): Promise<void> {
    try {
      pidfdSendSignal(pidfd, 'SIGKILL');
      this.kills[victim] += 1;
    } catch (error) {
      if (!isSyscallError(error, 'ESRCH')) throw error;
    }
    await waitPidfd(pidfd, { signal: AbortSignal.timeout(WHOLE_MS) });
  }
}

/** Held first and then looked at: it is what its command line says, or another has its number and we do not hold it. */
function open(pid: number, root: string): OwnedFd | undefined {
  let pidfd: OwnedFd;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return undefined;
    throw error;
  }
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (line.startsWith('pilotlight-') && line.includes(JSON.stringify(root))) return pidfd;
  } catch {
    // Gone.
  }
  pidfd.close();
  return undefined;
}
