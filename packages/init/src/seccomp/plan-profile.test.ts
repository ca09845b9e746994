import { describe, expect, it } from 'vitest';
import type { OciSeccomp, OciSeccompRule } from '../config/spec/seccomp.ts';
import { InvalidConfigError } from '../errors.ts';
import { planProfile } from './plan-profile.ts';

const allowing = (...syscalls: OciSeccompRule[]): OciSeccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls,
});
const notified = (...names: string[]): OciSeccompRule => ({ names, action: 'SCMP_ACT_NOTIFY' });

describe('planProfile', () => {
  it('planProfile puts the number into actions that take one, EPERM where none is given', () => {
    const profile = planProfile({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_ERRNO' },
        { names: ['b'], action: 'SCMP_ACT_ERRNO', errnoRet: 0 },
        { names: ['c'], action: 'SCMP_ACT_TRACE', errnoRet: 0xffff },
        { names: ['d'], action: 'SCMP_ACT_TRACE' },
        { names: ['e'], action: 'SCMP_ACT_KILL' },
        { names: ['f'], action: 'SCMP_ACT_KILL_PROCESS' },
      ],
    });
    expect(profile.defaultAction).toBe(0x0005_0026);
    expect(profile.rules.map(({ action }) => action)).toEqual([
      0x0005_0001, 0x0005_0000, 0x7ff0_ffff, 0x7ff0_0001, 0, 0x8000_0000,
    ]);
  });

  it('planProfile keeps conditions on several arguments together, and parts those on one', () => {
    const arg = (index: number, value: number | bigint) =>
      ({ index, value, op: 'SCMP_CMP_EQ' }) as const;
    const { rules } = planProfile(
      allowing(
        { names: ['a'], action: 'SCMP_ACT_KILL', args: [arg(0, 1), arg(5, 2n ** 64n - 1n)] },
        { names: ['b'], action: 'SCMP_ACT_KILL', args: [arg(1, 1), arg(1, 2), arg(0, 3)] },
      ),
    );
    expect(
      rules.map(({ index, conditions }) => [
        index,
        conditions.map((condition) => [condition.index, condition.datumA]),
      ]),
    ).toEqual([
      [
        0,
        [
          [0, 1n],
          [5, 2n ** 64n - 1n],
        ],
      ],
      [1, [[1, 1n]]],
      [1, [[1, 2n]]],
      [1, [[0, 3n]]],
    ]);
  });

  it.each<[field: string, seccomp: OciSeccomp]>([
    ['linux.seccomp.defaultErrnoRet', { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }],
    [
      'linux.seccomp.syscalls[1].errnoRet',
      allowing(
        { names: ['a'], action: 'SCMP_ACT_LOG' },
        { names: ['a'], action: 'SCMP_ACT_KILL', errnoRet: 1 },
      ),
    ],
    [
      'linux.seccomp.syscalls[0].errnoRet',
      allowing({ names: ['a'], action: 'SCMP_ACT_ERRNO', errnoRet: 4095 }),
    ],
    ['linux.seccomp.defaultAction', { defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/agent' }],
    ['linux.seccomp.listenerPath', allowing(notified('mkdir'))],
    ['linux.seccomp.listenerMetadata', { ...allowing(), listenerMetadata: 'x' }],
    [
      'linux.seccomp.syscalls[1]',
      { ...allowing(notified('a'), notified('b', 'write')), listenerPath: '/agent' },
    ],
    [
      'linux.seccomp',
      { ...allowing(notified('a')), defaultAction: 'SCMP_ACT_ERRNO', listenerPath: '/agent' },
    ],
    [
      'linux.seccomp',
      {
        ...allowing(notified('a'), { names: ['write'], action: 'SCMP_ACT_ERRNO' }),
        listenerPath: '/agent',
      },
    ],
  ])('planProfile refuses what contradicts itself at %s, case %#', (field, seccomp) => {
    expect(() => planProfile(seccomp)).toThrow(InvalidConfigError);
    expect(() => planProfile(seccomp)).toThrow(
      expect.objectContaining({ field, hint: expect.any(String) }),
    );
  });

  it('planProfile takes notification where the child can write', () => {
    const listenerPath = '/agent';
    const write: OciSeccompRule = { names: ['write'], action: 'SCMP_ACT_ALLOW' };
    expect(planProfile({ ...allowing(notified('mkdir')), listenerPath }).rules).toHaveLength(1);
    expect(
      planProfile({
        ...allowing(notified('mkdir'), write),
        defaultAction: 'SCMP_ACT_ERRNO',
        listenerPath,
        listenerMetadata: 'x',
      }).rules,
    ).toHaveLength(2);
  });
});
