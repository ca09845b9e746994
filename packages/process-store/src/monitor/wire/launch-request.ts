import type { OciSpec } from '@pilotlight/init';
import { z } from 'zod';
import type { LaunchRequest } from '../../process/launch.ts';
import { type RestartPolicy, restartPolicySchema } from '../../restart/restart-policy.ts';

/** What of a launch goes to the monitor as JSON. */
export interface WireLaunchRequest {
  id?: string | undefined;
  spec: OciSpec;
  bundle: string;
  restart?: RestartPolicy | undefined;
  options: WireLaunchOptions;
}

/** Options that are plain values. */
export type WireLaunchOptions = Pick<
  LaunchRequest,
  'newKeyring' | 'launchTimeoutMs' | 'noPivot' | 'nofileSoft' | 'listenFdNames'
>;

/** The specification is checked where it is launched. */
export const wireLaunchRequestSchema: z.ZodType<WireLaunchRequest> = z.object({
  id: z.string().optional(),
  spec: z.custom<OciSpec>((value) => typeof value === 'object' && value !== null),
  bundle: z.string().startsWith('/'),
  restart: restartPolicySchema.optional(),
  options: z
    .object({
      newKeyring: z.boolean(),
      launchTimeoutMs: z.number(),
      noPivot: z.boolean(),
      nofileSoft: z.number(),
      listenFdNames: z.array(z.string()),
    })
    .partial() as z.ZodType<WireLaunchOptions>,
});
