import {
  type MonitorInfo,
  type ProcessList,
  type StoreInfo,
  type Tier,
  type TierFacts,
  tierFacts,
} from '@pilotlight/process-store';

/** What `info` knows before it is put into words. */
export interface Findings {
  /** Whether the root is there. */
  exists: boolean;
  info: StoreInfo;
  list: Pick<ProcessList, 'problems'> & { processes: readonly { state: string; key: string }[] };
  /** Whether this very process may fork itself. */
  forksHere: boolean;
}

/** What `info --format json` prints. */
export interface StoreReport {
  root: { path: string; exists: boolean };
  tier: {
    /** Of launches from here. */
    chosen: Tier;
    why: string;
    /** The best first. */
    all: readonly (TierFacts & { available: boolean })[];
  };
  machine: {
    kernelRelease: string;
    /** Whether a pidfd keeps the exit status. */
    exitInfo: boolean;
    /** Whether a pidfd can be mounted. */
    pins: boolean;
    uid: number;
    namespaces: { pid: string; mnt: string };
  };
  launch: {
    /** `here`: this very process forks. `zygote`: a process that is started for it does. */
    forks: 'here' | 'zygote';
    why: string;
  };
  monitor: MonitorInfo | null;
  keeper: { isAlive: boolean; pid: number | null };
  records: {
    total: number;
    /** How many are in each state; states that nobody is in are missing. */
    byState: Readonly<Record<string, number>>;
    problems: readonly { key: string; message: string }[];
  };
}

/** Puts findings in order, and says why they are so. */
export function storeReport({ exists, info, list, forksHere }: Findings): StoreReport {
  const { root, tier, bestTier, probe, here, monitor, hasKeeper } = info;
  return {
    root: { path: root, exists },
    tier: {
      chosen: tier,
      why: whyTier(info),
      // The letters are in the order of what they promise.
      all: tierFacts.map((facts) => ({ ...facts, available: facts.tier >= bestTier })),
    },
    machine: {
      kernelRelease: probe.kernelRelease,
      exitInfo: probe.exitInfo,
      pins: probe.pins,
      uid: here.uid,
      namespaces: here.namespaces,
    },
    launch: forksHere
      ? {
          forks: 'here',
          why: 'this Node was started for that; for a program of an image a process made for it forks',
        }
      : {
          forks: 'zygote',
          why: 'this Node was not started so that it could fork itself',
        },
    monitor: monitor ?? null,
    keeper: { isAlive: hasKeeper, pid: monitor?.keeperPid ?? null },
    records: {
      total: list.processes.length + list.problems.length,
      byState: countStates(list.processes),
      problems: list.problems.map(({ id, problem }) => ({ key: id, message: problem.message })),
    },
  };
}

function whyTier({ tier, bestTier, probe, here }: StoreInfo): string {
  if (tier !== bestTier) return `chosen; ${bestTier} could be had`;
  if (!probe.exitInfo) {
    return `Linux ${probe.kernelRelease} tells nobody but the parent how a process ended`;
  }
  if (probe.pins) return 'a pidfd keeps the exit status here, and can be mounted';
  return `a pidfd keeps the exit status here, but user ${here.uid} cannot mount it`;
}

function countStates(processes: Findings['list']['processes']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of processes) counts[state] = (counts[state] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
