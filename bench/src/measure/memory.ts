import { readFileSync } from 'node:fs';

/** Memory of a process in kB, as the kernel counts it; proc_pid_smaps(5). */
export interface Memory {
  rss: number;
  pss: number;
  /** In no other process. */
  private: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? NaN);
  return {
    rss: field('Rss'),
    pss: field('Pss'),
    private: field('Private_Clean') + field('Private_Dirty'),
  };
}

export function meanMemory(pids: readonly number[]): Memory {
  const all = pids.map(memoryOf);
  const mean = (of: (memory: Memory) => number): number =>
    Math.round(all.reduce((sum, memory) => sum + of(memory), 0) / all.length);
  return {
    rss: mean(({ rss }) => rss),
    pss: mean(({ pss }) => pss),
    private: mean((memory) => memory.private),
  };
}
