// The zygote for a Node that cannot be forked: it spawns a second Node for each child, and that one
// becomes the program. Started with `child` settings it is that second Node.
import { readFileSync } from 'node:fs';
import { resetCpuAffinity } from '../child/cpu-affinity.ts';
import { keepMemoryPrivate } from './isolation.ts';
import { runZygote, serveRequests } from './run-zygote.ts';
import { spawnChild } from './spawn-child.ts';
import { createProcessSpawner } from './spawn-process.ts';
import { becomeChild, type SpawnedChild } from './spawned-child.ts';
import { childProgress } from './watchdog.ts';

runZygote(({ libc, sys, settings }) => {
  const { child } = settings as { child?: SpawnedChild };
  if (child !== undefined) return becomeChild(sys, child);
  resetCpuAffinity(sys);
  keepMemoryPrivate(sys);
  const spawner = createProcessSpawner(libc);
  const [, program = '', koffiModule = ''] = process.argv;
  const commandLine = [process.argv0, ...process.execArgv, program, koffiModule];
  const beginning = `${commandLine.join('\0')}\0{"child":`;
  const origin = {
    fork: (
      { cloneFlags }: { cloneFlags: number },
      { child: fds, cgroup }: { child: SpawnedChild['fds']; cgroup: number | undefined },
    ) => spawnChild(sys, spawner, { cloneFlags, cgroupFd: cgroup, child: fds }, commandLine),
  };
  // Unlike a fork it has run a program, this one; until it runs another its command line is ours.
  serveRequests(sys, origin, settings, (pid) =>
    childProgress(pid, () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(beginning)),
  );
});
