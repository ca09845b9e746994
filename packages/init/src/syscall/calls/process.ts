import { syscallError } from '@pilotlight/scm-rights';
import type { Libc } from '@pilotlight/scm-rights/libc';
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
  /** Puts all that execve(2) needs into memory; the function makes that call, and no other before it. */
  preparedExecve(path: string, args: readonly string[], env: readonly string[]): () => void;
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
  const execve = libc.func('execve', 'int', ['void *', 'void *', 'void *']);
  const exit = libc.func('_exit', 'void', ['int']);

  const rlimit = new BigUint64Array(2);
  const emptySignalSet = Buffer.alloc(128);

  const preparedExecve: ProcessCalls['preparedExecve'] = (name, args, env) => {
    const path = Buffer.from(`${name}\0`);
    const argv = stringArray(args, libc);
    const envp = stringArray(env, libc);
    return () => {
      execve(path, argv, envp);
      throw syscallError(libc.errno(), 'execve', name);
    };
  };

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
    execve: (name, args, env) => preparedExecve(name, args, env)(),
    preparedExecve,
    exit(code): never {
      exit(code);
      throw new Error('_exit returned');
    },
  };
}

/** The C array of strings that execve(2) takes: pointers, the last one NULL, and behind them what they point to. */
function stringArray(strings: readonly string[], libc: Libc): Buffer {
  const texts = strings.map((string) => Buffer.from(`${string}\0`));
  const pointerBytes = (strings.length + 1) * 8;
  const memory = Buffer.alloc(texts.reduce((size, text) => size + text.length, pointerBytes));
  const start = libc.address(memory);
  let at = pointerBytes;
  for (const [index, text] of texts.entries()) {
    memory.writeBigUInt64LE(start + BigInt(at), index * 8);
    memory.set(text, at);
    at += text.length;
  }
  return memory;
}
