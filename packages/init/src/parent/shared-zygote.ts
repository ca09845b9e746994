import { ZygoteError } from '../errors.ts';
import { fallBack } from './fall-back.ts';
import type { Zygote } from './zygote.ts';
import { type ProcessZygote, startForkingProcess } from './zygote-process.ts';

let shared: Promise<ProcessZygote> | undefined;

/**
 * The zygote that launches of this process use when they name none; started on first use, again if it ended.
 *
 * Where this Node cannot be forked, one that spawns takes its place, see startSpawningZygote; its
 * `fallbackReason` says why, and so does `pilotlight:zygote:fallback` on diagnostics_channel, once.
 *
 * @throws ZygoteError
 */
export function sharedZygote(): Promise<Zygote> {
  if (shared === undefined) {
    const starting = start();
    shared = starting;
    // A start that failed, or an end, makes the next launch try again.
    starting.then(
      (zygote) => zygote.gone.then(() => void (shared = undefined)),
      () => void (shared = undefined),
    );
  }
  return shared;
}

async function start(): Promise<ProcessZygote> {
  try {
    return await startForkingProcess({});
  } catch (error) {
    // One that was killed, or was too slow, says nothing about this Node.
    if (error instanceof ZygoteError && error.unfit) return fallBack(error);
    throw error;
  }
}
