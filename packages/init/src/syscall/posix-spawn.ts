import { syscallError } from '@pilotlight/scm-rights';
import type { Libc, LibcArgument } from '@pilotlight/scm-rights/libc';

// posix_spawnattr_setflags(3); the same in glibc and musl.
const POSIX_SPAWN_SETPGROUP = 2;
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;

/** More than any libc's posix_spawnattr_t and posix_spawn_file_actions_t need (336 and 80 bytes). */
const ATTRIBUTE_BYTES = 1024;
const SIGNAL_SET_BYTES = 128;

export type ProgramToSpawn = {
  path: string;
  args: readonly string[];
  env: readonly string[];
  /** What it has from 0 on; it gets no other descriptor that is close-on-exec here. */
  fds: readonly number[];
  /** Whether it leads a process group of its own. */
  leadsGroup: boolean;
};

/**
 * Starts a program with default signals and an empty mask; posix_spawn(3), which copies no memory.
 *
 * @returns its pid; it is a child of this process, so the number is its own until it is waited for
 * @throws SyscallError
 */
export type PosixSpawn = (program: ProgramToSpawn) => number;

/** By libc, not by Node: what Node spawns it reaps by itself as soon as it can. */
export function createPosixSpawn(libc: Libc): PosixSpawn {
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

  const attributes = Buffer.alloc(ATTRIBUTE_BYTES);
  const actions = Buffer.alloc(ATTRIBUTE_BYTES);
  const allSignals = Buffer.alloc(SIGNAL_SET_BYTES, 0xff);
  const noSignal = Buffer.alloc(SIGNAL_SET_BYTES);
  const pidSlot = new Int32Array(1);

  return ({ path, args, env, fds, leadsGroup }) => {
    /** These functions of libc return their errno. */
    const succeed = (errno: number): void => {
      if (errno !== 0) throw syscallError(errno, 'posix_spawn', path);
    };
    const group = leadsGroup ? POSIX_SPAWN_SETPGROUP : 0;
    succeed(attrInit(attributes));
    succeed(attrFlags(attributes, group | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
    succeed(attrDefault(attributes, allSignals));
    succeed(attrMask(attributes, noSignal));
    succeed(actionsInit(actions));
    try {
      for (const [to, from] of fds.entries()) succeed(addDup2(actions, from, to));
      // The C arrays end with a null of their own.
      const argv = [...args, null] as unknown as LibcArgument;
      const envp = [...env, null] as unknown as LibcArgument;
      succeed(posixSpawn(pidSlot, path, actions, attributes, argv, envp));
    } finally {
      actionsDestroy(actions);
    }
    return pidSlot[0]!;
  };
}
