import { type OwnedFd, pidfdInode } from '@pilotlight/scm-rights';
import type { ProcRecord } from '../record/proc-record.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { isReaped } from '../supervision/wait-reaped.ts';
import { Holdings } from './holdings.ts';
import type { KeeperLink } from './keeper-link.ts';
import type { HeldRole } from './wire/client-protocol.ts';

/** Descriptors that belong to processes, held here and, as duplicates, by the keeper. */
export class KeptDescriptors implements Disposable {
  readonly holdings: Holdings = new Holdings();
  readonly #keeper: KeeperLink;

  constructor(keeper: KeeperLink) {
    this.#keeper = keeper;
  }

  get size(): number {
    return this.holdings.size;
  }

  /** The keys that something is held for. */
  keys(): Set<string> {
    return new Set(this.holdings.names().map((name) => name.split(' ')[0] ?? ''));
  }

  /** Takes over a descriptor; resolves when the keeper holds it as well. */
  async keep(key: string, role: HeldRole, fd: OwnedFd): Promise<void> {
    const name = nameOf(key, role);
    this.holdings.put(name, fd);
    await this.#keeper.hold(name, fd);
  }

  /** Still owned here. */
  get(key: string, role: HeldRole): OwnedFd | undefined {
    return this.holdings.get(nameOf(key, role));
  }

  /** The pidfd of that very process, if it is held; it was given when nobody knew yet what would be recorded. */
  pidfdOf(key: string, proc: ProcRecord): OwnedFd | undefined {
    const pidfd = this.get(key, 'pidfd');
    if (pidfd === undefined) return undefined;
    const inode = pidfdInode(pidfd);
    if (inode !== undefined && proc.pidfsIno !== null) {
      return inode === proc.pidfsIno ? pidfd : undefined;
    }
    // Read by number first: it is still this process's if it is not reaped afterwards.
    const ticks = readStartTicks(proc.pid);
    return !isReaped(pidfd) && ticks === proc.startTicks ? pidfd : undefined;
  }

  async release(key: string): Promise<void> {
    const names = this.holdings.names().filter((name) => name.startsWith(`${key} `));
    for (const name of names) {
      this.holdings.release(name);
      await this.#keeper.release(name);
    }
  }

  [Symbol.dispose](): void {
    this.holdings[Symbol.dispose]();
  }
}

/** No key has a blank in it. */
function nameOf(key: string, role: HeldRole): string {
  return `${key} ${role}`;
}
