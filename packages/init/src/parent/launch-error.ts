import { isSyscallError } from '@pilotlight/scm-rights';
import { isSyncError, type JsonValue, PeerInitError } from '@pilotlight/sync';
import {
  causedBy,
  ChildDiedError,
  isLaunchError,
  LaunchError,
  type LaunchFailure,
} from '../errors.ts';
import type { HostFailure } from '../host/host-failure.ts';
import { CLONE_NEWUSER } from '../plan/namespaces.ts';
import type { HandshakeRecord } from './handshake-record.ts';

/** The error that a child reported by procError, as data again. */
export function childFailure(error: PeerInitError): LaunchError {
  const arg = error.arg ?? { message: error.message };
  return reportedFailure(arg, arg.message === '' ? error.message : arg.message, error);
}

/** As much as a child of ours sends, see child/step-failure.ts; one that is not may send a packet full. */
const maxTextLength = 8192;
const maxNameLength = 64;
/** Of a list of the configuration. */
const maxIndex = 0xffff_ffff;

/**
 * The error in the form of procError, by whichever way it came.
 *
 * A child may have been taken over: what it says is text of bounded length and nothing else, and a
 * member that is not of its kind is left out. The text may hold anything; who shows it escapes it.
 */
export function reportedFailure(arg: Report, message: string, cause?: unknown): LaunchError {
  const failure: LaunchFailure = {
    step: name(arg, 'step', /^[\w -]+$/) ?? 'init',
    message: bounded(message),
    ...(cause === undefined ? {} : { cause }),
  };
  const syscall = name(arg, 'syscall', /^\w+$/);
  const errnoCode = name(arg, 'errnoCode', /^E\w+$/);
  const errno = integer(arg, 'errno', -maxErrno, -1);
  const index = integer(arg, 'index', 0, maxIndex);
  const path = own(arg, 'path');
  const hint = own(arg, 'hint');
  if (syscall !== undefined) failure.syscall = syscall;
  if (errno !== undefined) failure.errno = errno;
  if (errnoCode !== undefined) failure.errnoCode = errnoCode;
  if (typeof path === 'string') failure.path = bounded(path);
  if (index !== undefined) failure.index = index;
  if (typeof hint === 'string') failure.hint = bounded(hint);
  return new LaunchError(failure);
}

type Report = { readonly [key: string]: JsonValue | undefined };

/** The largest that the kernel returns; linux/err.h, MAX_ERRNO. */
const maxErrno = 4095;

const own = (arg: Report, key: string): JsonValue | undefined =>
  Object.hasOwn(arg, key) ? arg[key] : undefined;

function bounded(text: string): string {
  if (text.length <= maxTextLength) return text;
  return `${text.slice(0, maxTextLength)}… (${text.length} characters)`;
}

function name(arg: Report, key: string, form: RegExp): string | undefined {
  const value = own(arg, key);
  const isName = typeof value === 'string' && value.length <= maxNameLength && form.test(value);
  return isName ? value : undefined;
}

function integer(arg: Report, key: string, least: number, most: number): number | undefined {
  const value = own(arg, key);
  const isInteger = typeof value === 'number' && Number.isSafeInteger(value);
  return isInteger && value >= least && value <= most ? value : undefined;
}

/** A failed system call of the parent's, or words of a child that are none, with the step that it came after. */
export function parentFailure(step: string, cause: unknown): unknown {
  if (isSyncError(cause)) {
    return new LaunchError({
      step,
      message: bounded(`${step}: ${cause.message}`),
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    });
  }
  if (!isSyscallError(cause)) return cause;
  return new LaunchError({
    step,
    message: `${step}: ${cause.message}`,
    ...causedBy(cause),
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
