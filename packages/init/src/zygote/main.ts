// The zygote: a small process that forks children on request and reaps them. It runs no event
// loop, so nothing asynchronous can ever be under way when it forks; it waits in epoll_wait(2).
import { resetCpuAffinity } from '../child/cpu-affinity.ts';
import { goOnFromClone } from './clone-binary.ts';
import { GarbageCollection } from './collect-garbage.ts';
import { startEntry, takeEntryReport } from './entry.ts';
import { forkChild, withDumpable } from './fork-child.ts';
import { createForker, type Forker } from './forker.ts';
import { keepMemoryPrivate } from './isolation.ts';
import { selfTest } from './self-test.ts';
import { wakeEventLoop } from './wake-event-loop.ts';
import { warmUpChild } from './warm-up.ts';
import { childProgress } from './watchdog.ts';
import { type Origin, sayEvent } from './zygote-loop.ts';
import { type ZygoteProcess, runZygote, serveRequests } from './run-zygote.ts';

runZygote(({ libc, sys, settings }: ZygoteProcess) => {
  // Once is for good: this loop never runs.
  wakeEventLoop();
  const forker = createForker(libc);
  const unfit = selfTest(sys, forker, settings.selfTest);
  if (unfit !== undefined) return sayEvent(sys, { event: 'unfit', reason: unfit });
  resetCpuAffinity(sys);
  // After the self-test: it forks as well.
  if (settings.cloneBinary) goOnFromClone(sys, forker, settings);
  keepMemoryPrivate(sys);
  warmUpChild();
  const garbage = new GarbageCollection();
  garbage.now();
  const origin = { ...forkingOrigin(sys, forker), afterLaunch: () => garbage.afterLaunch() };
  serveRequests(sys, origin, settings, childProgress);
});

function forkingOrigin(sys: ZygoteProcess['sys'], forker: Forker): Origin {
  return {
    fork({ cloneFlags, entry, undumpable, oomScoreAdj }, { child, cgroup, pidNamespace }) {
      if (entry === undefined) {
        return forkChild(sys, forker, {
          cloneFlags,
          cgroupFd: cgroup,
          pidNamespaceFd: pidNamespace,
          undumpable,
          child,
        });
      }
      const started = withDumpable(sys, !undumpable, () =>
        startEntry(sys, forker, {
          cloneFlags,
          cgroupFd: cgroup,
          child,
          joins: entry,
          joinFds: child.joins ?? [],
          oomScoreAdj,
        }),
      );
      return { report: started.report, take: () => takeEntryReport(started) };
    },
  };
}
