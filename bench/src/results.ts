import type { Memory } from './measure/memory.ts';
import type { Reference } from './references/reference.ts';

/** What one run measured. */
export interface Results {
  machine: { kernelRelease: string; cpus: number; node: string; loadAverage: number };
  processes: number;
  tier: string;
  /** Whether the root is in memory, where a write costs no time. */
  onTmpfs: boolean;
  launch: { totalMs: number; eachMs: number; by: 'a plain gated child' };
  memory: {
    monitor: Memory;
    keeper: Memory;
    /** Before there was a process. */
    empty: { monitor: Memory; keeper: Memory };
    /** Private, of both together, more than before there was a process; kB for each. */
    perProcess: number;
  };
  fds: { monitor: number; keeper: number };
  /** Percent of one CPU. */
  idleCpu: { monitor: number; keeper: number; overMs: number };
  listMs: number;
  /** Milliseconds from the last that a child did to its exit record on disk. */
  end: { count: number; p50: number; p95: number; most: number };
  recoveryMs: number;
  burst: { count: number; signalledMs: number; recordedMs: number; monitorCpuMs: number };
  deleteMs: number;
  references: Reference[];
}
