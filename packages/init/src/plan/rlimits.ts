import type { OciRlimit } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';

// asm-generic/resource.h; the same numbers on x86-64 and arm64.
const resources: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_AS = 9;

/** One limit; the values are decimal text, because JSON numbers cannot carry RLIM_INFINITY. */
export type PlannedRlimit = { type: string; resource: number; soft: string; hard: string };

/** @throws InvalidConfigError for an unknown or repeated type, or a soft limit above the hard one */
export function planRlimits(rlimits: readonly OciRlimit[]): PlannedRlimit[] {
  const seen = new Set<string>();
  return rlimits.map(({ type, soft, hard }, index) => {
    const field = `process.rlimits[${index}]`;
    const resource = Object.hasOwn(resources, type) ? resources[type] : undefined;
    if (resource === undefined) {
      throw new InvalidConfigError(
        `${field}.type`,
        `${field}.type: ${JSON.stringify(type)} is no resource limit`,
        {
          hint: `Use one of ${Object.keys(resources).join(', ')}; see getrlimit(2).`,
        },
      );
    }
    if (seen.has(type)) {
      throw new InvalidConfigError(`${field}.type`, `${field}.type: ${type} is set twice`, {
        hint: 'Keep one entry for each type.',
      });
    }
    if (soft > hard) {
      throw new InvalidConfigError(
        `${field}.soft`,
        `${field}.soft: ${soft} is above the hard limit ${hard}`,
        {
          hint: 'The soft limit must not exceed the hard one; see getrlimit(2).',
        },
      );
    }
    seen.add(type);
    return { type, resource, soft: String(soft), hard: String(hard) };
  });
}
