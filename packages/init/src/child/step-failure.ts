import type { SyscallError } from '@pilotlight/scm-rights';
import { isSyscallError } from '@pilotlight/scm-rights';
import type { JsonValue } from '@pilotlight/sync';

/** What the child was attempting, around the error that stopped it. Never leaves the child as such. */
export class StepFailure extends Error {
  readonly index: number | undefined;
  readonly hint: string | undefined;
  readonly path: string | undefined;

  constructor(
    attempt: string,
    cause: unknown,
    details: { index?: number; hint?: string; path?: string } = {},
  ) {
    super(attempt, { cause });
    this.index = details.index;
    this.hint = details.hint;
    this.path = details.path;
  }
}

/** Runs one action; a failure gets the sentence that says what was attempted. */
export function attempting<T>(
  attempt: string,
  details: { index?: number; hint?: (error: SyscallError) => string | undefined },
  action: () => T,
): T {
  try {
    return action();
  } catch (error) {
    const hint = isSyscallError(error) ? hintFor(error, details.hint) : undefined;
    throw new StepFailure(attempt, error, {
      ...(details.index === undefined ? {} : { index: details.index }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** A call that the kernel does not have fails for that reason, whatever it was made for. */
function hintFor(
  error: SyscallError,
  ofAttempt: ((error: SyscallError) => string | undefined) | undefined,
): string | undefined {
  if (error.code === 'ENOSYS') return error.hint;
  return ofAttempt?.(error) ?? error.hint;
}

/** Long enough for any path; an error text must fit one packet whatever the configuration holds. */
const maxTextLength = 8192;

/** The argument of procError: `message` as runc has it, our own keys beside it. */
export type FailureReport = { message: string; step: string; [key: string]: JsonValue };

export function describeFailure(step: string, error: unknown): FailureReport {
  const failure = error instanceof StepFailure ? error : undefined;
  const root = failure === undefined ? error : failure.cause;
  const reason = root instanceof Error ? root.message : String(root);
  const message = failure === undefined ? `${step}: ${reason}` : `${failure.message}: ${reason}`;
  const described: FailureReport = {
    message: message.slice(0, maxTextLength),
    step,
  };
  if (failure?.index !== undefined) described['index'] = failure.index;
  const hint = failure?.hint ?? (isSyscallError(root) ? hintOf(root) : undefined);
  if (hint !== undefined) described['hint'] = hint.slice(0, maxTextLength);
  if (failure?.path !== undefined) described['path'] = failure.path.slice(0, maxTextLength);
  if (isSyscallError(root)) {
    described['syscall'] = root.syscall;
    described['errno'] = root.errno;
    described['errnoCode'] = root.code;
    if (root.path !== undefined) described['path'] = root.path.slice(0, maxTextLength);
  }
  return described;
}

const hintOf = ({ hint, syscall }: SyscallError): string =>
  hint ?? `See ${syscall}(2), Errors, for what this failure can mean.`;
