import { z } from 'zod';
import { type StoredLog, storedLogSchema } from '../../log/log-options.ts';
import type { RemoteRequest } from '../../process/launch-at-monitor.ts';
import { type Restarts, restartsSchema } from '../../restart/restart-policy.ts';
import { type StoredStdio, storedStdioSchema } from '../../stdio/stored-stdio.ts';

/** What of a launch goes to the monitor as JSON. */
export interface WireLaunchRequest {
  id: string;
  /** Of a process that is to be executed in a container: that container's id. */
  container?: string | undefined;
  /** Start again what has ended under that id; of the rest only `restarts` counts. */
  again?: boolean | undefined;
  /** The specification; of a process in a container its `process` alone. */
  spec: Record<string, unknown>;
  bundle: string;
  /** What the record is to keep of its restarts. */
  restarts?: Restarts | undefined;
  /** Streams that last; others come as descriptors. */
  stdio?: StoredStdio | undefined;
  log?: StoredLog | undefined;
  options: WireLaunchOptions;
}

/** Options that are plain values. */
export type WireLaunchOptions = Pick<
  RemoteRequest,
  'newKeyring' | 'launchTimeoutMs' | 'noPivot' | 'nofileSoft' | 'listenFdNames' | 'ignorePaused'
>;

/** The specification is checked where it is launched. */
export const wireLaunchRequestSchema: z.ZodType<WireLaunchRequest> = z.object({
  id: z.string(),
  container: z.string().optional(),
  again: z.boolean().optional(),
  spec: z.record(z.string(), z.unknown()),
  bundle: z.string().startsWith('/'),
  restarts: restartsSchema.optional(),
  stdio: storedStdioSchema.optional(),
  log: storedLogSchema.optional(),
  options: z
    .object({
      newKeyring: z.boolean(),
      launchTimeoutMs: z.number(),
      noPivot: z.boolean(),
      nofileSoft: z.number(),
      listenFdNames: z.array(z.string()),
      ignorePaused: z.boolean(),
    })
    .partial() as z.ZodType<WireLaunchOptions>,
});
