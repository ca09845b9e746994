import { z } from 'zod';
import { type WireError, wireErrorSchema } from '../monitor/wire/wire-error.ts';

/** What a keeper writes into its report pipe, once: that its monitor listens, or why there is none. */
export type StartReport = { ready: true } | { ready: false; error: WireError };

export const startReportSchema: z.ZodType<StartReport> = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ ready: z.literal(false), error: wireErrorSchema }),
]);
