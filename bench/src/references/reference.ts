import type { Memory } from '../measure/memory.ts';

/** What a reference was measured to be, or why it was not. */
export type Reference =
  | { name: string; version: string; containers: number; mean: Memory }
  | { name: string; skipped: string };
