import { isSyscallError } from '@pilotlight/scm-rights';
import { type JsonValue, PeerInitError } from '@pilotlight/sync';
import { ChildDiedError, isLaunchError, LaunchError, type LaunchFailure } from '../errors.ts';
import type { HostFailure } from '../host/host-failure.ts';
import { CLONE_NEWUSER } from '../plan/namespaces.ts';
import type { HandshakeRecord } from './handshake-record.ts';

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

/**
 * Adds what is only looked for after a failure: the handshake, and what of this host explains it.
 * Errors of other kinds pass through. Whatever fails here leaves the error as it was.
 */
export async function completeFailure(
  error: unknown,
  { record, cloneFlags }: { record: HandshakeRecord | undefined; cloneFlags: number },
): Promise<unknown> {
  if (!isLaunchError(error) && !(error instanceof ChildDiedError)) return error;
  try {
    if (record !== undefined) Object.assign(error, { transcript: await record.format() });
    if (!isLaunchError(error)) return error;
    const { hintFromHost } = await import('../host/hint-from-host.ts');
    const { thisHost } = await import('../host/host.ts');
    const newUserNamespace = (cloneFlags & CLONE_NEWUSER) !== 0;
    const hint = hintFromHost({ ...plainly(error), newUserNamespace }, thisHost);
    if (hint !== undefined) Object.assign(error, { hint });
  } catch {
    // Why the launch failed is what counts.
  }
  return error;
}

const plainly = ({ step, message, syscall, errnoCode, path }: LaunchError): HostFailure => ({
  step,
  message,
  syscall,
  errnoCode,
  path,
});
