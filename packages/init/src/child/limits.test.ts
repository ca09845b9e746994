import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { planRlimits } from '../plan/rlimits.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { setLimits, setMemoryLimits } from './limits.ts';

const EPERM = 1;
const infinity = 2n ** 64n - 1n;
const limits = planRlimits([
  { type: 'RLIMIT_DATA', soft: 10, hard: 20 },
  { type: 'RLIMIT_NOFILE', soft: 30, hard: 40 },
]);

describe('setLimits', () => {
  it('setLimits sets all but those of memory, which it lifts; setMemoryLimits sets these', () => {
    const sys = createRecordingSyscall();
    setLimits(sys, limits);
    setMemoryLimits(sys, limits);
    expect(sys.calls.map(({ args }) => args)).toEqual([
      [2, infinity, infinity],
      [7, 30n, 40n],
      [2, 10n, 20n],
    ]);
  });

  it('setLimits lets a process be that may not lift a limit', () => {
    const sys = createRecordingSyscall();
    sys.prlimit = () => {
      throw syscallError(EPERM, 'prlimit');
    };
    setLimits(sys, limits.slice(0, 1));
    expect(() => setLimits(sys, limits)).toThrow(/set RLIMIT_NOFILE/);
    expect(() => setMemoryLimits(sys, limits)).toThrow(/set RLIMIT_DATA/);
  });
});
