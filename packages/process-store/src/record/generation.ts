import type { ProcRecord } from './proc-record.ts';

/** Which of the processes that had an id in turn is meant; two with the same id never agree in these. */
export type Generation = Pick<ProcRecord, 'pid' | 'startTicks' | 'bootId'>;

/** Whether two are the same process. */
export function isSameGeneration(one: Generation, other: Generation): boolean {
  return (
    one.pid === other.pid && one.startTicks === other.startTicks && one.bootId === other.bootId
  );
}
