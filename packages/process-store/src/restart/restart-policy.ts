import { z } from 'zod';
import { InvalidRestartError } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';

/** When a process that has ended is started again, by the monitor of its root. */
export type RestartPolicy =
  /** Never. */
  | { name: 'no' }
  /** When it failed: another code than 0, a signal, or an end nobody knows. */
  | ({
      name: 'on-failure';
      /** How often at most, from 0; without it, always. */ maxRestarts?: number | undefined;
    } & BackOff)
  /** Whatever its end was. */
  | ({ name: 'always' } & BackOff);

/**
 * The pause before a restart: `firstMs` after a run that lasted, twice as long after each short run, up to `mostMs`. All are whole
 * milliseconds from 0 to a day.
 */
export interface BackOff {
  /** Milliseconds, 100 unless given. */
  firstMs?: number | undefined;
  /** Milliseconds, 60,000 unless given. */
  mostMs?: number | undefined;
  /** A run that took as long has lasted; milliseconds, 10,000 unless given. */
  lastedMs?: number | undefined;
}

const ms = z.int().min(0).max(86_400_000).optional();
const backOff = { firstMs: ms, mostMs: ms, lastedMs: ms };

export const restartPolicySchema: z.ZodType<RestartPolicy> = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('no') }),
  z.strictObject({
    name: z.literal('on-failure'),
    maxRestarts: z.int().min(0).optional(),
    ...backOff,
  }),
  z.strictObject({ name: z.literal('always'), ...backOff }),
]);

/** What a record keeps about its restarts. */
export interface Restarts {
  policy: RestartPolicy;
  /** How often it was started again. */
  count: number;
  /** How many short runs there were in a row. */
  short: number;
}

/** What a record begins with. Throws InvalidRestartError. */
export function requireRestarts(policy: RestartPolicy): Restarts {
  const result = restartPolicySchema.safeParse(policy);
  if (!result.success) throw new InvalidRestartError(result.error);
  return { policy: result.data, count: 0, short: 0 };
}

/** Whether there is a policy that may start it again. */
export function mayRestart(restarts: Restarts | undefined): restarts is Restarts {
  return restarts !== undefined && restarts.policy.name !== 'no';
}

export const restartsSchema: z.ZodType<Restarts> = z.object({
  policy: restartPolicySchema,
  count: z.int().min(0),
  short: z.int().min(0),
});

const FIRST_MS = 100;
const MOST_MS = 60_000;
const LASTED_MS = 10_000;

/** How long a run took, which decides about the pause; null if nobody knows. */
export interface Run {
  exit: ExitRecord;
  lastedMs: number | null;
}

/** The restart that is due after this run, if one is: after which pause, and what the next record keeps. */
export function nextRestart(
  { policy, count, short }: Restarts,
  run: Run,
): { delayMs: number; restarts: Restarts } | undefined {
  if (policy.name === 'no') return undefined;
  if (policy.name === 'on-failure') {
    if (!hasFailed(run.exit)) return undefined;
    if (policy.maxRestarts !== undefined && count >= policy.maxRestarts) return undefined;
  }
  const { firstMs = FIRST_MS, mostMs = MOST_MS, lastedMs = LASTED_MS } = policy;
  const hasLasted = run.lastedMs !== null && run.lastedMs >= lastedMs;
  const before = hasLasted ? 0 : short;
  // Beyond 2^30 every pause is the longest.
  const delayMs = Math.min(mostMs, firstMs * 2 ** Math.min(before, 30));
  return { delayMs, restarts: { policy, count: count + 1, short: before + 1 } };
}

function hasFailed(exit: ExitRecord): boolean {
  return !exit.started || exit.kind !== 'exited' || exit.code !== 0;
}
