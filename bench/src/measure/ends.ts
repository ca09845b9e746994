import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endFile, goFifo, timedId } from '../load/load-settings.ts';

const PAUSE_MS = 5;
const DEADLINE_MS = 10_000;

/**
 * Ends processes one after the other; resolves to how long each took from the last that it did to the appearance of its
 * `exit.json`, in milliseconds.
 */
export async function timeEnds(
  place: { root: string; directory: string },
  count: number,
): Promise<number[]> {
  const delays: number[] = [];
  for (let index = 0; index < count; index++) {
    const seen = appearance(join(place.root, 'p', timedId(index)), 'exit.json');
    writeFileSync(goFifo(place, index), '\n');
    const seenAtMs = await seen;
    const endedAtNs = BigInt(readFileSync(endFile(place, index), 'utf8'));
    delays.push(seenAtMs - Number(endedAtNs / 1000n) / 1000);
    await sleep(PAUSE_MS);
  }
  return delays;
}

/** When a file appears in a folder, in milliseconds since 1970. */
async function appearance(folder: string, file: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const watcher = watch(folder, (_, name) => {
    // The temporary one of which it is made has another name.
    if (name === file) resolve(performance.timeOrigin + performance.now());
  });
  const late = setTimeout(() => {
    reject(new Error(`${folder}: no ${file} after ${DEADLINE_MS} ms`));
  }, DEADLINE_MS);
  try {
    if (existsSync(join(folder, file))) throw new Error(`${folder}: it has ended already`);
    return await promise;
  } finally {
    clearTimeout(late);
    watcher.close();
  }
}
