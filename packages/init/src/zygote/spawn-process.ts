import { syscallError } from '@pilotlight/scm-rights';
import type { Libc, LibcArgument } from '@pilotlight/scm-rights/libc';

/** More than any libc's posix_spawnattr_t and posix_spawn_file_actions_t need (336 and 80 bytes). */
const ATTRIBUTE_BYTES = 1024;
const SIGNAL_SET_BYTES = 128;
const SIGKILL = 9;
// posix_spawnattr_setflags(3); the same in glibc and musl.
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;

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

/** By libc, not by Node: what Node spawns it reaps by itself as soon as it can. */
export function createProcessSpawner(libc: Libc): ProcessSpawner {
  const posixSpawn = libc.func('posix_spawn', 'int', [
    'void *',
    'str',
    'void *',
    'void *',
    'char **',
    'char **',
  ]);
  const attrInit = libc.func('posix_spawnattr_init', 'int', ['void *']);
  const attrFlags = libc.func('posix_spawnattr_setflags', 'int', ['void *', 'int']);
  const attrDefault = libc.func('posix_spawnattr_setsigdefault', 'int', ['void *', 'void *']);
  const attrMask = libc.func('posix_spawnattr_setsigmask', 'int', ['void *', 'void *']);
  const actionsInit = libc.func('posix_spawn_file_actions_init', 'int', ['void *']);
  const addDup2 = libc.func('posix_spawn_file_actions_adddup2', 'int', ['void *', 'int', 'int']);
  const actionsDestroy = libc.func('posix_spawn_file_actions_destroy', 'int', ['void *']);
  const kill = libc.func('kill', 'int', ['int', 'int']);
  const waitpid = libc.func('waitpid', 'int', ['int', 'void *', 'int']);

  const attributes = Buffer.alloc(ATTRIBUTE_BYTES);
  const actions = Buffer.alloc(ATTRIBUTE_BYTES);
  const pidSlot = new Int32Array(1);
  const succeed = (errno: number, path: string): void => {
    if (errno !== 0) throw syscallError(errno, 'posix_spawn', path);
  };

  return {
    spawn(path, args, fds) {
      succeed(attrInit(attributes), path);
      succeed(attrFlags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK), path);
      succeed(attrDefault(attributes, Buffer.alloc(SIGNAL_SET_BYTES, 0xff)), path);
      succeed(attrMask(attributes, Buffer.alloc(SIGNAL_SET_BYTES)), path);
      succeed(actionsInit(actions), path);
      try {
        for (const [to, from] of fds.entries()) succeed(addDup2(actions, from, to), path);
        // The C arrays end with a null of their own.
        const argv = [...args, null] as unknown as LibcArgument;
        const envp = [null] as unknown as LibcArgument;
        succeed(posixSpawn(pidSlot, path, actions, attributes, argv, envp), path);
      } finally {
        actionsDestroy(actions);
      }
      return pidSlot[0]!;
    },
    discard(pid) {
      kill(pid, SIGKILL);
      // Interrupted, it is tried again; anything else says that there is nothing to wait for.
      while (waitpid(pid, null, 0) === -1 && libc.errno() === EINTR);
    },
  };
}

const EINTR = 4;
