import { z } from 'zod';

/** How long a pair stays with nothing to do, in milliseconds. */
export const DEFAULT_IDLE_MS = 10_000;

/** What a keeper and its monitor are told on their command line. */
export interface PairSettings {
  /** Absolute directory. */
  root: string;
  idleMs: number;
  /** Descriptors that the keeper inherited against its will, and closes. */
  strayFds: readonly number[];
  /** Path of koffi's native module, which their bundles do not find by themselves. */
  koffiModule?: string | undefined;
}

export const pairSettingsSchema: z.ZodType<PairSettings> = z.object({
  root: z.string().startsWith('/'),
  idleMs: z.number().min(0),
  strayFds: z.array(z.int().min(5)),
  koffiModule: z.string().optional(),
});

/** In the keeper: flock on keeper.lock, taken by who started it; a pipe that takes one StartReport. In the monitor: the socket. */
export const keeperFds = { lock: 3, report: 4 } as const;
export const monitorFds = { keeper: 3 } as const;
