import type { OciSeccomp, OciSeccompAction, OciSeccompArg } from '../config/spec/seccomp.ts';
import { InvalidConfigError } from '../errors.ts';
import { seccompActions, seccompOperators } from './names.ts';

const EPERM = 1;
/** Highest that libseccomp takes; the kernel's own limit is one more, linux/err.h. */
const MAX_ERRNO = 4094;

/** One test of an argument, in libseccomp's terms. */
export type Condition = { index: number; operator: number; datumA: bigint; datumB: bigint };

/** What is done with some system calls, and when: one list of conditions that all must hold. */
export type FilterRule = {
  names: readonly string[];
  action: number;
  conditions: readonly Condition[];
  /** The entry of `linux.seccomp.syscalls` that it comes from. */
  index: number;
};

/** A profile as far as the filter is concerned: equal ones give equal filters. */
export type FilterProfile = {
  defaultAction: number;
  /** As the configuration has them. */
  architectures: readonly string[];
  rules: readonly FilterRule[];
};

/**
 * Derives from `linux.seccomp` what the filter is made of.
 *
 * As with runc, an entry that tests one argument twice matches when one of all its tests holds.
 *
 * @throws InvalidConfigError where fields contradict each other
 */
export function planProfile(seccomp: OciSeccomp): FilterProfile {
  const rules = (seccomp.syscalls ?? []).flatMap(({ names, action, errnoRet, args }, index) => {
    const field = `linux.seccomp.syscalls[${index}].errnoRet`;
    const value = returnValue(action, errnoRet, field);
    return alternatives(args ?? []).map((conditions): FilterRule => ({
      names,
      action: value,
      conditions,
      index,
    }));
  });
  requireNotification(seccomp);
  return {
    defaultAction: returnValue(
      seccomp.defaultAction,
      seccomp.defaultErrnoRet,
      'linux.seccomp.defaultErrnoRet',
    ),
    architectures: seccomp.architectures ?? [],
    rules,
  };
}

/** Whether an agent decides about some system calls. */
export function usesNotification(seccomp: OciSeccomp): boolean {
  return (seccomp.syscalls ?? []).some(({ action }) => action === 'SCMP_ACT_NOTIFY');
}

function returnValue(
  action: OciSeccompAction,
  errnoRet: number | undefined,
  field: string,
): number {
  const value = seccompActions[action];
  const takesNumber = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  if (!takesNumber) {
    if (errnoRet === undefined) return value;
    throw new InvalidConfigError(field, `${field}: ${action} returns no number`, {
      hint: 'Only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take a number; remove it, or change the action.',
    });
  }
  if (action === 'SCMP_ACT_ERRNO' && errnoRet !== undefined && errnoRet > MAX_ERRNO) {
    throw new InvalidConfigError(field, `${field}: ${errnoRet} is no errno`, {
      hint: `An errno is at most ${MAX_ERRNO}; see errno(3).`,
    });
  }
  return value + (errnoRet ?? EPERM);
}

function alternatives(args: readonly OciSeccompArg[]): Condition[][] {
  const conditions = args.map(({ index, op, value, valueTwo }) => ({
    index,
    operator: seccompOperators[op],
    datumA: BigInt(value),
    datumB: BigInt(valueTwo ?? 0),
  }));
  const tested = new Set(args.map(({ index }) => index));
  return tested.size === args.length ? [conditions] : conditions.map((condition) => [condition]);
}

/**
 * What makes notification impossible: the child that loads the filter has to write its listener's
 * number to the parent, and only then is there anybody who could let it write.
 */
function requireNotification(seccomp: OciSeccomp): void {
  const { defaultAction, listenerPath, listenerMetadata } = seccomp;
  const refuse = (field: string, reason: string, hint: string): never => {
    throw new InvalidConfigError(field, `${field}: ${reason}`, { hint });
  };
  if (defaultAction === 'SCMP_ACT_NOTIFY') {
    refuse(
      'linux.seccomp.defaultAction',
      'SCMP_ACT_NOTIFY cannot be the default action',
      'The child writes to its parent after the filter is loaded; list the system calls that the agent is to decide about.',
    );
  }
  if (listenerMetadata !== undefined && listenerMetadata !== '' && !isSet(listenerPath)) {
    refuse(
      'linux.seccomp.listenerMetadata',
      'there is no listenerPath to send it to',
      'Set listenerPath as well, or remove listenerMetadata.',
    );
  }
  if (!usesNotification(seccomp)) return;
  if (!isSet(listenerPath)) {
    refuse(
      'linux.seccomp.listenerPath',
      'SCMP_ACT_NOTIFY is used, and no agent is named',
      "Set listenerPath to the agent's Unix stream socket.",
    );
  }
  const aboutWrite = (seccomp.syscalls ?? []).filter(({ names }) => names.includes('write'));
  const notified = (seccomp.syscalls ?? []).findIndex(
    ({ names, action }) => action === 'SCMP_ACT_NOTIFY' && names.includes('write'),
  );
  if (notified !== -1) {
    refuse(
      `linux.seccomp.syscalls[${notified}]`,
      'SCMP_ACT_NOTIFY cannot be used for write',
      'The child writes to its parent after the filter is loaded, before the agent knows of it.',
    );
  }
  const allowedByRule = aboutWrite.some(
    ({ action, args }) => passes(action) && (args ?? []).length === 0,
  );
  const deniedByRule = aboutWrite.some(({ action }) => !passes(action));
  if (deniedByRule || (!passes(defaultAction) && !allowedByRule)) {
    refuse(
      'linux.seccomp',
      'with SCMP_ACT_NOTIFY the profile must allow write',
      'The child writes to its parent after the filter is loaded; allow write whatever its arguments are.',
    );
  }
}

const isSet = (text: string | undefined): boolean => text !== undefined && text !== '';

const passes = (action: OciSeccompAction): boolean =>
  action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG';
