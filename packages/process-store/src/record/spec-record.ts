import { z } from 'zod';
import { type StoredLog, storedLogSchema } from '../log/log-options.ts';
import { type Restarts, restartsSchema } from '../restart/restart-policy.ts';
import { type StoredStdio, storedStdioSchema } from '../stdio/stored-stdio.ts';

/** Options of a launch that are plain values. */
export interface StoredOptions {
  newKeyring?: boolean | undefined;
  noPivot?: boolean | undefined;
  nofileSoft?: number | undefined;
  launchTimeoutMs?: number | undefined;
}

const storedOptionsSchema: z.ZodType<StoredOptions> = z.object({
  newKeyring: z.boolean().optional(),
  noPivot: z.boolean().optional(),
  nofileSoft: z.number().optional(),
  launchTimeoutMs: z.number().optional(),
});

/** `spec.json`: what was to be run. Written before anything is made for it. */
export interface SpecRecord {
  schema: 1;
  id: string;
  /** Of a process executed in a container: that container's id. */
  container?: string | undefined;
  /** Absolute directory. */
  bundle: string;
  /** RFC 3339, UTC. */
  createdAt: string;
  /** The OCI specification as launched; 64-bit numbers are exact. Of an executed process, its `process` alone. */
  spec: Record<string, unknown>;
  /** Streams that last without the launcher; undefined for a process that had the launcher's. */
  stdio?: StoredStdio | undefined;
  log?: StoredLog | undefined;
  /** What else it was launched with, for the next time. */
  options?: StoredOptions | undefined;
  /** When it is started again, and how often it was. */
  restarts?: Restarts | undefined;
}

export const specRecordSchema: z.ZodType<SpecRecord> = z.object({
  schema: z.literal(1),
  id: z.string().min(1),
  container: z.string().min(1).optional(),
  bundle: z.string().startsWith('/'),
  createdAt: z.iso.datetime(),
  spec: z.record(z.string(), z.unknown()),
  stdio: storedStdioSchema.optional(),
  log: storedLogSchema.optional(),
  options: storedOptionsSchema.optional(),
  restarts: restartsSchema.optional(),
});

/** The parts of a specification that a listing shows. */
export interface SpecSummary {
  args: readonly string[];
  cwd: string;
  terminal: boolean;
  /** As written: absolute, or relative to the bundle. */
  rootPath: string | undefined;
  hostname: string | undefined;
  annotations: Readonly<Record<string, string>>;
}

const summarySchema = z.object({
  process: z
    .object({
      args: z.array(z.string()).default([]),
      cwd: z.string().default('/'),
      terminal: z.boolean().default(false),
    })
    .prefault({}),
  root: z.object({ path: z.string() }).nullish(),
  hostname: z.string().optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

/** Reads the summary out of a recorded specification; undefined if it is none. */
export function summarizeSpec(spec: Record<string, unknown>): SpecSummary | undefined {
  const result = summarySchema.safeParse(spec);
  if (!result.success) return undefined;
  const { process, root, hostname, annotations } = result.data;
  return { ...process, rootPath: root?.path, hostname, annotations: annotations ?? {} };
}
