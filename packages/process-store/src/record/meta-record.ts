import { z } from 'zod';

/** What a probe of this kernel found, and for whom: rights and namespaces decide as well. */
export interface ProbeRecord {
  bootId: string;
  kernelRelease: string;
  uid: number;
  mnt: string;
  /** Whether a pidfd keeps the exit status; Linux 6.15. */
  exitInfo: boolean;
  /** Whether a pidfd can be mounted; Linux 6.14 and CAP_SYS_ADMIN. */
  pins: boolean;
}

/** `meta.json`: what belongs to the root as a whole. */
export interface MetaRecord {
  schema: 1;
  /** The boot in which it was last prepared. */
  bootId: string;
  /** Whether we made the root directory, and remove it when the last record has gone. */
  createdRoot: boolean;
  probe?: ProbeRecord | undefined;
  /** Where the root is a private mount that takes pins. */
  mount?: { bootId: string; mnt: string } | undefined;
}

export const metaRecordSchema: z.ZodType<MetaRecord> = z.object({
  schema: z.literal(1),
  bootId: z.string().min(1),
  createdRoot: z.boolean(),
  probe: z
    .object({
      bootId: z.string(),
      kernelRelease: z.string(),
      uid: z.int(),
      mnt: z.string(),
      exitInfo: z.boolean(),
      pins: z.boolean(),
    })
    .optional(),
  mount: z.object({ bootId: z.string(), mnt: z.string() }).optional(),
});
