import { describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import type {
  OciIoPriority,
  OciMemoryPolicy,
  OciPersonality,
  OciScheduler,
} from '../config/spec/attributes.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { UnsupportedConfigError } from '../errors.ts';
import { planMemoryPolicy } from './memory-policy.ts';
import { planIoPriority, planScheduler } from './scheduler.ts';
import { planScheduling } from './scheduling.ts';

const none = { flags: 0, nice: 0, priority: 0, runtime: '0', deadline: '0', period: '0' };

describe('planScheduler', () => {
  it.each<[scheduler: OciScheduler, planned: object]>([
    [
      { policy: 'SCHED_OTHER', nice: -20 },
      { policy: 0, nice: -20 },
    ],
    [
      { policy: 'SCHED_BATCH', nice: 19 },
      { policy: 3, nice: 19 },
    ],
    [{ policy: 'SCHED_IDLE', priority: 0 }, { policy: 5 }],
    [
      { policy: 'SCHED_FIFO', priority: 99 },
      { policy: 1, priority: 99 },
    ],
    [
      { policy: 'SCHED_RR', priority: 1, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
      { policy: 2, priority: 1, flags: 1 },
    ],
    [
      {
        policy: 'SCHED_DEADLINE',
        runtime: 10n,
        deadline: 9_007_199_254_740_993n,
        period: 9_007_199_254_740_993n,
        flags: ['SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN'],
      },
      {
        policy: 6,
        flags: 6,
        runtime: '10',
        deadline: '9007199254740993',
        period: '9007199254740993',
      },
    ],
  ])('planScheduler takes %o', (scheduler, planned) => {
    expect(planScheduler(scheduler)).toEqual({ ...none, name: scheduler.policy, ...planned });
  });

  it.each<[scheduler: OciScheduler, field: string]>([
    [{ policy: 'SCHED_FIFO' }, 'priority'],
    [{ policy: 'SCHED_OTHER', priority: 1 }, 'priority'],
    [{ policy: 'SCHED_FIFO', priority: 1, nice: 1 }, 'nice'],
    [{ policy: 'SCHED_RR', priority: 1, runtime: 1 }, 'runtime'],
    [{ policy: 'SCHED_OTHER', deadline: 1 }, 'deadline'],
    [{ policy: 'SCHED_BATCH', period: 1n }, 'period'],
    [{ policy: 'SCHED_DEADLINE' }, 'runtime'],
    [{ policy: 'SCHED_DEADLINE', runtime: 2, deadline: 1 }, 'runtime'],
    [{ policy: 'SCHED_DEADLINE', runtime: 1, deadline: 3, period: 2 }, 'runtime'],
    [{ policy: 'SCHED_DEADLINE', runtime: 1, deadline: 1n << 63n }, 'deadline'],
  ])('planScheduler refuses %o', (scheduler, field) => {
    expect(() => planScheduler(scheduler)).toThrow(`process.scheduler.${field}: `);
  });

  it.each<OciScheduler>([
    { policy: 'SCHED_ISO' },
    { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_UTIL_CLAMP_MIN'] },
  ])('planScheduler says that %o cannot be had', (scheduler) => {
    expect(() => planScheduler(scheduler)).toThrow(UnsupportedConfigError);
  });

  it.each([
    { policy: 'SCHED_WHATEVER' },
    { policy: 'SCHED_OTHER', nice: 20 },
    { policy: 'SCHED_OTHER', nice: -21 },
    { policy: 'SCHED_FIFO', priority: 100 },
    { policy: 'SCHED_FIFO', priority: 1.5 },
    { policy: 'SCHED_DEADLINE', runtime: -1 },
    { policy: 'SCHED_DEADLINE', runtime: 1n << 64n },
    { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_NOTHING'] },
    {},
  ])('validateSpec refuses the scheduler %o', (scheduler) => {
    const spec = stockSpec();
    spec.process.scheduler = scheduler as OciScheduler;
    expect(() => validateSpec(spec)).toThrow(/process\.scheduler\./);
  });
});

describe('planIoPriority', () => {
  it.each<[class_: OciIoPriority['class'], priority: number, planned: number]>([
    ['IOPRIO_CLASS_RT', 0, 0x2000],
    ['IOPRIO_CLASS_BE', 7, 0x4007],
    ['IOPRIO_CLASS_IDLE', 3, 0x6003],
  ])('planIoPriority puts %s %i into one number', (class_, priority, planned) => {
    expect(planIoPriority({ class: class_, priority })).toBe(planned);
  });

  it.each([
    { class: 'IOPRIO_CLASS_NONE', priority: 0 },
    { class: 'IOPRIO_CLASS_BE', priority: 8 },
  ])('validateSpec refuses the I/O priority %o', (priority) => {
    const spec = stockSpec();
    spec.process.ioPriority = priority as OciIoPriority;
    expect(() => validateSpec(spec)).toThrow(/process\.ioPriority\./);
  });
});

describe('planMemoryPolicy', () => {
  it.each<[policy: OciMemoryPolicy, mode: number, nodes: number[][]]>([
    [{ mode: 'MPOL_DEFAULT' }, 0, []],
    [{ mode: 'MPOL_LOCAL', nodes: '', flags: null }, 4, []],
    [{ mode: 'MPOL_PREFERRED' }, 1, []],
    [{ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_NUMA_BALANCING'] }, 2 + 0x2000, [[0, 0]]],
    [
      { mode: 'MPOL_INTERLEAVE', nodes: '0-1,3', flags: ['MPOL_F_STATIC_NODES'] },
      3 + 0x8000,
      [
        [0, 1],
        [3, 3],
      ],
    ],
    [
      { mode: 'MPOL_WEIGHTED_INTERLEAVE', nodes: '2', flags: ['MPOL_F_RELATIVE_NODES'] },
      6 + 0x4000,
      [[2, 2]],
    ],
    [{ mode: 'MPOL_PREFERRED_MANY', nodes: '1023' }, 5, [[1023, 1023]]],
  ])('planMemoryPolicy takes %o', (policy, mode, nodes) => {
    expect(planMemoryPolicy(policy)).toEqual({ name: policy.mode, mode, nodes });
  });

  it.each<[policy: OciMemoryPolicy, field: string]>([
    [{ mode: 'MPOL_DEFAULT', nodes: '0' }, 'nodes'],
    [{ mode: 'MPOL_LOCAL', nodes: '0' }, 'nodes'],
    [{ mode: 'MPOL_BIND' }, 'nodes'],
    [{ mode: 'MPOL_INTERLEAVE', nodes: '' }, 'nodes'],
    [
      { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES'] },
      'flags',
    ],
  ])('planMemoryPolicy refuses %o', (policy, field) => {
    expect(() => planMemoryPolicy(policy)).toThrow(`linux.memoryPolicy.${field}: `);
  });

  it.each([{ mode: 'MPOL_NOTHING' }, { mode: 'MPOL_BIND', nodes: '1024' }, { nodes: '0' }])(
    'validateSpec refuses the memory policy %o',
    (policy) => {
      const spec = stockSpec();
      spec.linux!.memoryPolicy = policy as OciMemoryPolicy;
      expect(() => validateSpec(spec)).toThrow(/linux\.memoryPolicy\./);
    },
  );
});

describe('planScheduling', () => {
  it('planScheduling leaves alone what the configuration does not name', () => {
    expect(Object.values(planScheduling(stockSpec()))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each<[domain: OciPersonality['domain'], planned: number]>([
    ['LINUX', 0],
    ['LINUX32', 8],
  ])('planScheduling has personality %s as %i', (domain, planned) => {
    const spec = stockSpec();
    spec.linux!.personality = { domain, flags: [] };
    expect(planScheduling(validateSpec(spec)).personality).toBe(planned);
  });

  it.each([{ domain: 'BSD' }, { domain: 'LINUX', flags: ['ADDR_NO_RANDOMIZE'] }])(
    'validateSpec refuses the personality %o',
    (personality) => {
      const spec = stockSpec();
      spec.linux!.personality = personality as OciPersonality;
      expect(() => validateSpec(spec)).toThrow(/linux\.personality\./);
    },
  );
});
