import type { OciSeccomp, OciSeccompArg, OciSeccompRule } from '../../config/spec/seccomp.ts';
import { seccompActions } from '../names.ts';

/** What a profile says of a system call by the words of the specification, for comparison with a compiled filter. */
export function returnValueOf(profile: OciSeccomp, name: string, args: readonly bigint[]): number {
  const rule = (profile.syscalls ?? []).find(
    (candidate) => candidate.names.includes(name) && matches(candidate, args),
  );
  return rule === undefined
    ? valueOf(profile.defaultAction, profile.defaultErrnoRet)
    : valueOf(rule.action, rule.errnoRet);
}

function valueOf(action: OciSeccomp['defaultAction'], errnoRet = 1): number {
  const takesNumber = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return seccompActions[action] + (takesNumber ? errnoRet : 0);
}

function matches({ args }: OciSeccompRule, actual: readonly bigint[]): boolean {
  const tests = args ?? [];
  const once = new Set(tests.map(({ index }) => index)).size === tests.length;
  const holding = tests.filter((test) => holds(test, actual[test.index]!));
  return once ? holding.length === tests.length : holding.length > 0;
}

function holds({ op, value, valueTwo }: OciSeccompArg, actual: bigint): boolean {
  const wanted = BigInt(value);
  switch (op) {
    case 'SCMP_CMP_NE':
      return actual !== wanted;
    case 'SCMP_CMP_LT':
      return actual < wanted;
    case 'SCMP_CMP_LE':
      return actual <= wanted;
    case 'SCMP_CMP_EQ':
      return actual === wanted;
    case 'SCMP_CMP_GE':
      return actual >= wanted;
    case 'SCMP_CMP_GT':
      return actual > wanted;
    case 'SCMP_CMP_MASKED_EQ':
      return (actual & wanted) === BigInt(valueTwo ?? 0);
  }
}
