import { ask } from '../monitor/client/ask.ts';
import { connectMonitor, type MonitorConnection } from '../monitor/client/connect-monitor.ts';
import type { MonitorInfo } from '../monitor/wire/client-protocol.ts';
import type { ProbeRecord } from '../record/meta-record.ts';
import type { Tier } from '../record/proc-record.ts';
import { bestTier } from '../root/tier.ts';
import { type Here, here } from '../supervision/here.ts';
import { isLockHeld } from '../supervision/hold-back.ts';
import type { StoreContext } from './store-context.ts';

/** What a store is, and what runs for it. */
export interface StoreInfo {
  /** Absolute directory. */
  root: string;
  /** The tier of launches by this store. */
  tier: Tier;
  /** The best tier to be had here. */
  bestTier: Tier;
  /** What the kernel offers. */
  probe: Pick<ProbeRecord, 'exitInfo' | 'pins' | 'kernelRelease'>;
  /** For whom that holds: effective user id, and links of /proc/self/ns. */
  here: Pick<Here, 'uid' | 'namespaces'>;
  /** Undefined where none runs, or none answers just now. */
  monitor: MonitorInfo | undefined;
  /** Whether a keeper lives; it starts a monitor again that has died. */
  hasKeeper: boolean;
}

const DEADLINE_MS = 5000;

/** Starts nothing. Throws TierError, RootError. */
export async function storeInfo({ root }: StoreContext): Promise<StoreInfo> {
  const { exitInfo, pins, kernelRelease } = await root.probe();
  const { uid, namespaces } = here();
  return {
    root: root.layout.root,
    tier: await root.tier(),
    bestTier: bestTier({ exitInfo, pins }),
    probe: { exitInfo, pins, kernelRelease },
    here: { uid, namespaces: { ...namespaces } },
    monitor: await askWhoItIs(root.layout),
    hasKeeper: isLockHeld(root.layout.keeperLock),
  };
}

async function askWhoItIs(
  layout: StoreContext['root']['layout'],
): Promise<MonitorInfo | undefined> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  try {
    using connection = await connectMonitor(layout, signal);
    return connection === undefined
      ? undefined
      : await monitorInfo(layout.root, connection, signal);
  } catch {
    // Stopped, or on its way out.
    return undefined;
  }
}

/** What a monitor tells of itself. Throws MonitorError, the signal's reason. */
export async function monitorInfo(
  root: string,
  connection: MonitorConnection,
  signal?: AbortSignal,
): Promise<MonitorInfo> {
  const { message } = await ask(root, connection, { type: 'info' }, ['info'], { signal });
  const { type: _type, ...info } = message;
  return info;
}
