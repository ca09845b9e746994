import { join } from 'node:path';
import type { Tier } from '@pilotlight/process-store';

/** What is launched, and where. */
export interface LoadSettings {
  /** Of the store. */
  root: string;
  /** For fifos and files. */
  directory: string;
  tier: Tier | undefined;
  /** Processes that sleep until they are killed. */
  sleepers: number;
  /** Processes that end when they are told, and note when that was. */
  timed: number;
}

type Place = Pick<LoadSettings, 'directory'>;

export const sleeperId = (index: number): string => `sleeper-${index}`;
export const timedId = (index: number): string => `timed-${index}`;

/** What opens it for writing ends the process. */
export const goFifo = ({ directory }: Place, index: number): string =>
  join(directory, `go-${index}`);

/** Gets the nanoseconds since 1970 at which the process ended. */
export const endFile = ({ directory }: Place, index: number): string =>
  join(directory, `end-${index}`);
