import { TierError } from '../errors.ts';
import type { ProbeRecord } from '../record/meta-record.ts';
import type { Tier } from '../record/proc-record.ts';

/** What one tier asks for and promises. */
export interface TierFacts {
  tier: Tier;
  /** What keeps the exit status between the end and its record. */
  name: 'pin' | 'hold' | 'parent' | 'none';
  /** When it is there to be had. */
  condition: string;
  /** What may die without any status being lost. */
  mayDie: string;
  /** What has to run beside the programs. */
  needs: string;
}

/** The tiers, the best first. */
export const tierFacts: readonly TierFacts[] = [
  {
    tier: 'A',
    name: 'pin',
    condition: 'Linux 6.15 and CAP_SYS_ADMIN: a pidfd keeps the status and can be mounted',
    mayDie: 'every process of ours, until the machine restarts or the pin is unmounted',
    needs: 'nothing; a monitor is optional',
  },
  {
    tier: 'B',
    name: 'hold',
    condition: 'Linux 6.15: a pidfd keeps the status for whoever holds it',
    mayDie: 'the launcher, and either the monitor or the keeper',
    needs: 'one monitor and one keeper per root, started on demand',
  },
  {
    tier: 'C',
    name: 'parent',
    condition: 'Linux 5.4: only its parent learns the status',
    mayDie: 'the launcher, and either the monitor or the keeper',
    needs: 'one monitor and one keeper per root, started on demand; the monitor launches',
  },
  {
    tier: 'D',
    name: 'none',
    condition: 'Linux 5.3, only by choice',
    mayDie: 'nothing: with the launcher the status goes, unless somebody else waits at that time',
    needs: 'nothing',
  },
];

/** The best that this kernel, with the rights we have, can keep. */
export function bestTier({ exitInfo, pins }: Pick<ProbeRecord, 'exitInfo' | 'pins'>): Tier {
  if (!exitInfo) return 'C';
  return pins ? 'A' : 'B';
}

/** The tier of launches: the best one, or the lower one that was asked for. Throws TierError for a higher one. */
export function chooseTier(
  probe: Pick<ProbeRecord, 'exitInfo' | 'pins'>,
  wanted: Tier | undefined,
): Tier {
  const best = bestTier(probe);
  if (wanted === undefined) return best;
  // The letters are in the order of what they promise.
  if (wanted < best) throw new TierError(wanted, best);
  return wanted;
}
