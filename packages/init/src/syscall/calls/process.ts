import { syscallError } from '@pilotlight/scm-rights';
import type { LibcArgument } from '@pilotlight/scm-rights/libc';
import type { Kernel } from '../kernel.ts';

const SIG_SETMASK = 2;
const SIGPIPE = 13;
const SIGXFSZ = 25;

/** The process itself: its session, its limits, its program and its end. */
export interface ProcessCalls {
  setsid(): void;
  /** In its own pid namespace. */
  getpid(): number;
  umask(mask: number): void;
  prlimit(resource: number, soft: bigint, hard: bigint): void;
  /** Default dispositions for what Node ignores, then an empty signal mask; both survive execve(2). */
  resetSignals(): void;
  execve(path: string, args: readonly string[], env: readonly string[]): void;
  /** Ends the process without running anything else. */
  exit(code: number): never;
}

export function processCalls({ libc, check }: Kernel): ProcessCalls {
  const setsid = libc.func('setsid', 'int', []);
  const getpid = libc.func('getpid', 'int', []);
  const umask = libc.func('umask', 'uint', ['uint']);
  const prlimit = libc.func('prlimit', 'int', ['int', 'int', 'void *', 'void *']);
  const signal = libc.func<bigint>('signal', 'void *', ['int', 'long']);
  const sigprocmask = libc.func('sigprocmask', 'int', ['int', 'void *', 'void *']);
  const execve = libc.func('execve', 'int', ['str', 'char **', 'char **']);
  const exit = libc.func('_exit', 'void', ['int']);

  const rlimit = new BigUint64Array(2);
  const emptySignalSet = Buffer.alloc(128);

  return {
    setsid: () => void check('setsid', undefined, setsid),
    getpid: () => getpid(),
    umask: (mask) => void umask(mask),
    prlimit(resource, soft, hard) {
      rlimit[0] = soft;
      rlimit[1] = hard;
      check('prlimit', `resource ${resource}`, prlimit, 0, resource, rlimit, null);
    },
    resetSignals() {
      signal(SIGPIPE, 0);
      signal(SIGXFSZ, 0);
      check('sigprocmask', undefined, sigprocmask, SIG_SETMASK, emptySignalSet, null);
    },
    execve(name, args, env) {
      // The C arrays end with a null of their own.
      const argv = [...args, null] as unknown as LibcArgument;
      const envp = [...env, null] as unknown as LibcArgument;
      execve(name, argv, envp);
      throw syscallError(libc.errno(), 'execve', name);
    },
    exit(code): never {
      exit(code);
      throw new Error('_exit returned');
    },
  };
}
