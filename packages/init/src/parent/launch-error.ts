import { isSyscallError } from '@pilotlight/scm-rights';
import { type JsonValue, PeerInitError } from '@pilotlight/sync';
import { LaunchError, type LaunchFailure } from '../errors.ts';

/** The error that a child reported by procError, as data again. */
export function childFailure(error: PeerInitError): LaunchError {
  const arg = error.arg ?? { message: error.message };
  return reportedFailure(arg, arg.message === '' ? error.message : arg.message, error);
}

/** The error in the form of procError, by whichever way it came. */
export function reportedFailure(
  arg: { readonly [key: string]: JsonValue | undefined },
  message: string,
  cause?: unknown,
): LaunchError {
  const failure: LaunchFailure = {
    step: text(arg['step']) ?? 'init',
    message,
    ...(cause === undefined ? {} : { cause }),
  };
  const { syscall, errno, errnoCode, path, index, hint } = arg;
  if (typeof syscall === 'string') failure.syscall = syscall;
  if (typeof errno === 'number') failure.errno = errno;
  if (typeof errnoCode === 'string') failure.errnoCode = errnoCode;
  if (typeof path === 'string') failure.path = path;
  if (typeof index === 'number') failure.index = index;
  if (typeof hint === 'string') failure.hint = hint;
  return new LaunchError(failure);
}

const text = (value: JsonValue | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

/** A failed system call of the parent's, with the step it was made for. */
export function parentFailure(step: string, cause: unknown): unknown {
  if (!isSyscallError(cause)) return cause;
  return new LaunchError({
    step,
    message: `${step}: ${cause.message}`,
    syscall: cause.syscall,
    errno: cause.errno,
    errnoCode: cause.code,
    cause,
    ...(cause.path === undefined ? {} : { path: cause.path }),
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
  });
}
