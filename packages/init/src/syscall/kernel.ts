import { type SyscallOperand, syscallError } from '@pilotlight/scm-rights';
import type { Libc, LibcArgument, LibcFunction } from '@pilotlight/scm-rights/libc';
import { SYS_prctl } from './number.ts';

const EINTR = 4;
const sharedBufferBytes = 256 * 1024;

/** The ways to make a system call, declared once and shared by all groups of calls. */
export type Kernel = {
  libc: Libc;
  /** Declares syscall(2) for one list of parameter types. */
  raw: (...params: string[]) => LibcFunction;
  /** syscall(2) with five integers. */
  integers: LibcFunction;
  /** syscall(2) with a directory, a path and three integers. */
  atPath: LibcFunction;
  /**
   * Calls until it is not interrupted; errno is read with nothing in between.
   *
   * @throws SyscallError
   */
  check: (
    name: string,
    operand: SyscallOperand | undefined,
    call: LibcFunction,
    ...args: LibcArgument[]
  ) => number;
  /** prctl(2); `what` is how an error calls it. */
  prctl: (what: string, ...args: number[]) => void;
  /** Scratch space of a call, 256 KiB: never kept across two. */
  chunk: Buffer;
};

export function createKernel(libc: Libc): Kernel {
  const raw = (...params: string[]): LibcFunction =>
    libc.func('syscall', 'long', ['long', ...params]);
  const integers = raw('long', 'long', 'long', 'long', 'long');
  const check: Kernel['check'] = (name, operand, call, ...args) => {
    for (;;) {
      const result = call(...args);
      if (result !== -1) return result;
      const errno = libc.errno();
      if (errno !== EINTR) throw syscallError(errno, name, operand);
    }
  };
  return {
    libc,
    raw,
    integers,
    atPath: raw('long', 'str', 'long', 'long', 'long'),
    check,
    prctl(what, ...args) {
      check('prctl', what, integers, SYS_prctl, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, 0, 0);
    },
    chunk: Buffer.alloc(sharedBufferBytes),
  };
}
