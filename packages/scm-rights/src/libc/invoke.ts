import { syscallError, type SyscallOperand } from '../errors.ts';
import { type Libc, type LibcArgument, type LibcFunction, loadLibc } from './library.ts';

const EINTR = 4;

/** Declares a libc function on its first use, so that importing this package loads nothing. */
export function lazyFunction(
  name: string,
  result: string,
  params: readonly string[],
): () => LibcFunction {
  let declared: LibcFunction | undefined;
  let declaredBy: Libc | undefined;
  return () => {
    const libc = loadLibc();
    if (declared === undefined || declaredBy !== libc) {
      declared = libc.func(name, result, params);
      declaredBy = libc;
    }
    return declared;
  };
}

/** Calls until it is not interrupted (EINTR). Returns the result, or the negative errno. */
export function attempt(call: LibcFunction, ...args: LibcArgument[]): number {
  const libc = loadLibc();
  for (;;) {
    const result = call(...args);
    if (result !== -1) return result;
    const errno = libc.errno();
    if (errno !== EINTR) return -errno;
  }
}

/** Like {@link attempt}, for a failure that is an error: throws SyscallError. */
export function invoke(
  syscall: string,
  operand: SyscallOperand | undefined,
  call: LibcFunction,
  ...args: LibcArgument[]
): number {
  const result = attempt(call, ...args);
  if (result < 0) throw syscallError(result, syscall, operand);
  return result;
}

/** Raw `syscall(2)` with EINTR retried. Returns the result, or the negative errno. */
export function attemptSyscall(number: number, ...operands: (number | bigint)[]): number {
  const libc = loadLibc();
  for (;;) {
    const result = libc.syscall(number, ...operands);
    if (result !== -1) return result;
    const errno = libc.errno();
    if (errno !== EINTR) return -errno;
  }
}

/** Like {@link attemptSyscall}, for a failure that is an error: throws SyscallError. */
export function invokeSyscall(
  syscall: string,
  operand: SyscallOperand | undefined,
  number: number,
  ...operands: (number | bigint)[]
): number {
  const result = attemptSyscall(number, ...operands);
  if (result < 0) throw syscallError(result, syscall, operand);
  return result;
}
