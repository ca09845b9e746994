import { z } from 'zod';
import { digits } from './digits.ts';

/** What the kernel and we could promise when a process was launched; see `ProcessStore.tier`. */
export type Tier = 'A' | 'B' | 'C' | 'D';

/** `proc.json`: which process a record is about. Written while that process waits at the gate, before it can exec. */
export interface ProcRecord {
  schema: 1;
  id: string;
  /** Of a process executed in a container: that container's id. */
  container?: string | undefined;
  /** In the pid namespace `namespaces.pid`. No handle: it may belong to a stranger by now. */
  pid: number;
  /** Field 22 of /proc/pid/stat, in clock ticks since boot. */
  startTicks: bigint;
  /** /proc/sys/kernel/random/boot_id. */
  bootId: string;
  /** Inode of its pidfds, never reused within a boot; null before Linux 6.9. */
  pidfsIno: bigint | null;
  tier: Tier;
  gate: 'held';
  bundle: string;
  cgroupPaths: readonly string[];
  /** Where pid and pin mean what they say: the links of /proc/self/ns. */
  namespaces: { pid: string; mnt: string };
  /** RFC 3339, UTC. */
  recordedAt: string;
}

export const procRecordSchema: z.ZodType<ProcRecord> = z.object({
  schema: z.literal(1),
  id: z.string().min(1),
  container: z.string().min(1).optional(),
  pid: z.int().min(1).max(4_194_304),
  startTicks: digits,
  bootId: z.string().min(1),
  pidfsIno: digits.nullable(),
  tier: z.enum(['A', 'B', 'C', 'D']),
  gate: z.literal('held'),
  bundle: z.string().startsWith('/'),
  cgroupPaths: z.array(z.string().startsWith('/')),
  namespaces: z.object({ pid: z.string().min(1), mnt: z.string().min(1) }),
  recordedAt: z.iso.datetime(),
});

/** The text of `proc.json`. */
export function formatProcRecord(record: ProcRecord): string {
  const { startTicks, pidfsIno } = record;
  return `${JSON.stringify({
    ...record,
    startTicks: String(startTicks),
    pidfsIno: pidfsIno === null ? null : String(pidfsIno),
  })}\n`;
}
