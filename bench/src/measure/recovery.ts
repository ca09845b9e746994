import { setTimeout as sleep } from 'node:timers/promises';
import type { MonitorInfo, ProcessStore } from '@pilotlight/process-store';
import { pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';

/** Each look is answered by the monitor that is measured. */
const LOOK_MS = 25;
const DEADLINE_MS = 60_000;

/** Kills the monitor with SIGKILL; resolves when the next one watches as many processes, and how long that took. */
export async function killMonitor(
  store: ProcessStore,
  monitor: MonitorInfo,
  watching: number,
): Promise<{ recoveredMs: number; monitor: MonitorInfo }> {
  using pidfd = pidfdOpen(monitor.pid);
  const startMs = performance.now();
  pidfdSendSignal(pidfd, 'SIGKILL');
  for (;;) {
    const { monitor: next } = await store.info();
    const recoveredMs = performance.now() - startMs;
    if (next !== undefined && next.pid !== monitor.pid && next.watching === watching) {
      return { recoveredMs, monitor: next };
    }
    if (recoveredMs > DEADLINE_MS) throw new Error('the monitor was not started again');
    await sleep(LOOK_MS);
  }
}

/** Resolves when the monitor watches as many processes. */
export async function untilWatching(store: ProcessStore, watching: number): Promise<MonitorInfo> {
  const until = performance.now() + DEADLINE_MS;
  for (;;) {
    const { monitor } = await store.info();
    if (monitor?.watching === watching) return monitor;
    if (performance.now() > until) {
      throw new Error(`the monitor watches ${monitor?.watching} processes, not ${watching}`);
    }
    await sleep(LOOK_MS);
  }
}
