/** What 1,000 processes may cost; the design's numbers. */
export const budgets: Readonly<
  Record<'monitorPrivate' | 'idleCpu' | 'endRecorded' | 'burst', number>
> = {
  /** kB. */
  monitorPrivate: 16 * 1024,
  /** Percent of one CPU. */
  idleCpu: 0.2,
  /** Milliseconds. */
  endRecorded: 1,
  /** Milliseconds. */
  burst: 400,
};

/** Whether a value keeps its budget, in words; empty without one. */
export function verdict(value: number, budget: number | undefined): string {
  if (budget === undefined) return '';
  return value <= budget ? 'ok' : 'over';
}
