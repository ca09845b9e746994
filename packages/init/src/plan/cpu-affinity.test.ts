import { describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { planExecCpuAffinity } from './cpu-affinity.ts';

describe('planExecCpuAffinity', () => {
  it('planExecCpuAffinity gives ranges, and nothing for an empty list', () => {
    expect(planExecCpuAffinity({ initial: '7', final: '0-3,7' })).toEqual({
      initial: [[7, 7]],
      final: [
        [0, 3],
        [7, 7],
      ],
    });
    expect(planExecCpuAffinity({ initial: '', final: '1' })?.initial).toBeUndefined();
    expect(planExecCpuAffinity({ initial: '' })).toBeUndefined();
    expect(planExecCpuAffinity(undefined)).toBeUndefined();
  });

  it.each(['a', '1-0', '99999'])('validateSpec refuses the CPUs %j', (list) => {
    const spec = stockSpec();
    spec.process.execCPUAffinity = { final: list };
    expect(() => validateSpec(spec)).toThrow(/process\.execCPUAffinity\.final: .*list of CPUs/);
  });
});
