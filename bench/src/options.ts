import { parseArgs } from 'node:util';
import type { Tier } from '@pilotlight/process-store';

export interface Options {
  /** How many processes live under the monitor. */
  processes: number;
  /** Undefined for the best one. */
  tier: Tier | undefined;
  /** How long the idle monitor is looked at, in milliseconds. */
  idleMs: number;
  /** How many ends are timed one by one. */
  ends: number;
  /** How many containers the references supervise; 0 leaves them out. */
  references: number;
  /** Whether Debian's packages of the references are fetched into the scratch directory if they are not installed. */
  fetch: boolean;
  json: string | undefined;
}

export const usage = `usage: pnpm bench:supervision [--processes N] [--tier A|B] [--idle-seconds S] [--ends N]
                             [--references N] [--fetch] [--json FILE]
  --processes N     live processes under one monitor; 1000
  --tier A|B        the best one to be had; in C the monitor is the parent, which this load is not made for
  --idle-seconds S  how long the CPU time of the idle monitor is counted; 20
  --ends N          ends that are timed one by one; 200, at most half of the processes
  --references N    containers of conmon and of containerd-shim-runc-v2 each; 20, 0 for none
  --fetch           fetch Debian's packages of those two if they are missing; nothing is installed
  --json FILE       write the numbers there, too
`;

/** Throws an Error whose message is for people. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      processes: { type: 'string', default: '1000' },
      tier: { type: 'string' },
      'idle-seconds': { type: 'string', default: '20' },
      ends: { type: 'string', default: '200' },
      references: { type: 'string', default: '20' },
      fetch: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const processes = wholeNumber('--processes', values.processes, 2, 20_000);
  const { tier } = values;
  if (tier !== undefined && tier !== 'A' && tier !== 'B') {
    throw new Error(`--tier: ${tier} is neither A nor B`);
  }
  const ends = wholeNumber('--ends', values.ends, 1, 10_000);
  return {
    processes,
    tier,
    idleMs: wholeNumber('--idle-seconds', values['idle-seconds'], 1, 3600) * 1000,
    ends: Math.min(ends, Math.floor(processes / 2)),
    references: wholeNumber('--references', values.references, 0, 200),
    fetch: values.fetch,
    json: values.json,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`${name}: ${JSON.stringify(text)} is no whole number from ${least} to ${most}`);
}
