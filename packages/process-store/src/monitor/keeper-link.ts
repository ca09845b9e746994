import { closeAll, type FdLike, SeqpacketSocket, type OwnedFd } from '@pilotlight/scm-rights';
import type { Holdings } from './holdings.ts';
import {
  type KeeperMessage,
  keeperMessageSchema,
  type MonitorReport,
} from './wire/keeper-protocol.ts';
import { Packets, ProtocolError } from './wire/packets.ts';

/** The monitor's end of the socket to its keeper. */
export class KeeperLink implements Disposable {
  readonly #packets: Packets<KeeperMessage, MonitorReport>;
  readonly #waiting = new Map<string, (() => void)[]>();
  #keeperPid: number | undefined;

  /** Takes over the socket. */
  constructor(socket: OwnedFd) {
    this.#packets = new Packets(new SeqpacketSocket(socket), keeperMessageSchema);
  }

  /** Undefined once it has died. */
  get keeperPid(): number | undefined {
    return this.#keeperPid;
  }

  /** Takes what the monitor before this one held. False if the keeper is gone already. Throws ProtocolError. */
  async begin(holdings: Holdings): Promise<boolean> {
    for (;;) {
      const received = await this.#packets.receive();
      if (received === undefined) return false;
      const { message, fds } = received;
      if (message.type === 'hold') {
        const fd = fds.shift();
        if (fd !== undefined) holdings.put(message.name, fd);
      }
      closeAll(fds);
      if (message.type === 'held')
        throw new ProtocolError('the keeper answers what it was not asked');
      if (message.type === 'begin') {
        this.#keeperPid = message.keeperPid;
        return true;
      }
    }
  }

  /** Resolves when the keeper has died. Never rejects. */
  async untilGone(): Promise<void> {
    for (;;) {
      const received = await this.#packets.receive().catch(() => undefined);
      if (received === undefined) break;
      closeAll(received.fds);
      if (received.message.type === 'held') this.#waiting.get(received.message.name)?.shift()?.();
    }
    this.#keeperPid = undefined;
    // Nobody above holds it, but nobody will: `unprotected` says so.
    for (const waiting of this.#waiting.values()) for (const resolve of waiting) resolve();
    this.#waiting.clear();
  }

  /** Has the keeper hold a duplicate; resolves when it does, or is known to be dead. */
  async hold(name: string, fd: FdLike): Promise<void> {
    if (this.#keeperPid === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, [...waiting, resolve]);
    if (await this.#packets.send({ type: 'hold', name }, [fd])) await promise;
  }

  async release(name: string): Promise<void> {
    this.#waiting.delete(name);
    await this.report({ type: 'release', name });
  }

  /** Tells it something that needs no answer. */
  async report(message: MonitorReport): Promise<void> {
    if (!this.#packets.closed) await this.#packets.send(message);
  }

  [Symbol.dispose](): void {
    this.#packets.close();
  }
}
