import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredProcess } from '@pilotlight/process-store';
import { closeAll, type OwnedFd, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';

const LOOK_MS = 20;
const DEADLINE_MS = 60_000;

export interface Burst {
  /** From the first signal to the last one. */
  signalledMs: number;
  /** From the first signal to the last `exit.json`. */
  recordedMs: number;
}

/** Kills all at once, and resolves when the end of each is on disk. */
export async function endAtOnce(root: string, processes: readonly StoredProcess[]): Promise<Burst> {
  const pidfds: OwnedFd[] = [];
  try {
    for (const { pid } of processes) pidfds.push(pidfdOpen(pid));
    const startMs = performance.timeOrigin + performance.now();
    for (const pidfd of pidfds) pidfdSendSignal(pidfd, 'SIGKILL');
    const signalledMs = performance.timeOrigin + performance.now() - startMs;
    const files = processes.map(({ key }) => join(root, 'p', key, 'exit.json'));
    const until = performance.now() + DEADLINE_MS;
    let missing = files;
    while (missing.length > 0) {
      if (performance.now() > until) throw new Error(`${missing.length} ends are not recorded`);
      await sleep(LOOK_MS);
      missing = missing.filter((file) => !existsSync(file));
    }
    // When the name was made: looking more often would take time from those who are measured.
    const last = Math.max(...files.map((file) => statSync(file).ctimeMs));
    return { signalledMs, recordedMs: last - startMs };
  } finally {
    closeAll(pidfds);
  }
}
