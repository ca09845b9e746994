import { describe, expect, it } from 'vitest';
import { parseSpec } from '../config/load-bundle.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planRlimits } from './rlimits.ts';

const RLIM_INFINITY = 18_446_744_073_709_551_615n;

describe('planRlimits', () => {
  it('planRlimits carries RLIM_INFINITY from the text of a config.json to the plan, exactly', () => {
    const text = JSON.stringify(stockSpec()).replace(
      /"rlimits":\[.*?\]/,
      '"rlimits":[{"type":"RLIMIT_CORE","soft":9007199254740993,"hard":18446744073709551615}]',
    );
    expect(planRlimits(parseSpec(text).process.rlimits ?? [])).toEqual([
      {
        type: 'RLIMIT_CORE',
        resource: 4,
        soft: '9007199254740993',
        hard: String(RLIM_INFINITY),
      },
    ]);
  });

  it.each([
    ['RLIMIT_CPU', 0],
    ['RLIMIT_STACK', 3],
    ['RLIMIT_NPROC', 6],
    ['RLIMIT_NOFILE', 7],
    ['RLIMIT_AS', 9],
    ['RLIMIT_RTTIME', 15],
  ])('planRlimits knows %s as resource %i', (type, resource) => {
    expect(planRlimits([{ type, soft: 1, hard: 2 }])[0]?.resource).toBe(resource);
  });

  it.each(['NOFILE', 'RLIMIT_NOTHING', 'constructor', ''])(
    'planRlimits refuses the type %j',
    (type) => {
      const attempt = (): unknown => planRlimits([{ type, soft: 1, hard: 1 }]);
      expect(attempt).toThrow(InvalidConfigError);
      expect(attempt).toThrow(/process\.rlimits\[0\]\.type/);
    },
  );

  it('planRlimits refuses a type that is set twice', () => {
    const limit = { type: 'RLIMIT_CORE', soft: 0, hard: 0 };
    expect(() => planRlimits([limit, limit])).toThrow(/process\.rlimits\[1\]\.type.*twice/);
  });

  it.each<[soft: number | bigint, hard: number | bigint]>([
    [2, 1],
    [RLIM_INFINITY, 1024],
    [9_007_199_254_740_993n, 9_007_199_254_740_992n],
  ])('planRlimits refuses the soft limit %s above the hard limit %s', (soft, hard) => {
    expect(() => planRlimits([{ type: 'RLIMIT_CORE', soft, hard }])).toThrow(/rlimits\[0\]\.soft/);
  });
});
