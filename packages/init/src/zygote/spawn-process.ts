import type { Libc } from '@pilotlight/scm-rights/libc';
import { createPosixSpawn } from '../syscall/posix-spawn.ts';

const SIGKILL = 9;
const EINTR = 4;

export type ProcessSpawner = {
  /**
   * Starts a program with an empty environment, default signals and an empty mask; posix_spawn(3),
   * which copies no memory. It is a child of this process, so its pid is its own until it is reaped.
   *
   * @param fds what it has from 0 on; each must be above their number, and close-on-exec
   * @throws SyscallError
   */
  spawn(path: string, args: readonly string[], fds: readonly number[]): number;
  /** Kills and reaps a child that nobody has waited for; waitpid(2). */
  discard(pid: number): void;
};

export function createProcessSpawner(libc: Libc): ProcessSpawner {
  const posixSpawn = createPosixSpawn(libc);
  const kill = libc.func('kill', 'int', ['int', 'int']);
  const waitpid = libc.func('waitpid', 'int', ['int', 'void *', 'int']);
  return {
    spawn: (path, args, fds) => posixSpawn({ path, args, env: [], fds, leadsGroup: false }),
    discard(pid) {
      kill(pid, SIGKILL);
      // Interrupted, it is tried again; anything else says that there is nothing to wait for.
      while (waitpid(pid, null, 0) === -1 && libc.errno() === EINTR);
    },
  };
}
