import { describe, expect, it } from 'vitest';
import type { OciNamespace, OciTimeOffsets } from '../config/spec/namespaces.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { planNamespaces } from './namespaces.ts';
import { planTimeOffsets } from './time-namespace.ts';

function plan(
  timeOffsets: OciTimeOffsets,
  namespace: OciNamespace | undefined = { type: 'time' },
  kernelRelease = '6.1.0',
): string | undefined {
  const spec = stockSpec();
  if (namespace !== undefined) spec.linux!.namespaces!.push(namespace);
  spec.linux!.timeOffsets = timeOffsets;
  return planTimeOffsets(spec, planNamespaces(spec), kernelRelease);
}

describe('planTimeOffsets', () => {
  it('planTimeOffsets writes a line for each clock, 64-bit seconds exactly', () => {
    expect(
      plan({
        monotonic: { secs: -3, nanosecs: 5 },
        boottime: { secs: 9_007_199_254_740_993n },
      }),
    ).toBe('monotonic -3 5\nboottime 9007199254740993 0\n');
  });

  it('planTimeOffsets makes a namespace whose clocks are the ones of the host', () => {
    expect(plan({})).toBe('');
  });

  it('planTimeOffsets makes none where none is asked for', () => {
    const spec = stockSpec();
    expect(planTimeOffsets(spec, planNamespaces(spec), '5.12.0')).toBeUndefined();
  });

  it('planTimeOffsets refuses offsets that could not be set', () => {
    const offsets = { monotonic: { secs: 1 } };
    const spec = stockSpec();
    spec.linux!.timeOffsets = offsets;
    expect(() => planTimeOffsets(spec, planNamespaces(spec), '6.1.0')).toThrow(
      /there is no time namespace/,
    );
    expect(() => plan(offsets, { type: 'time', path: '/proc/1/ns/time' })).toThrow(/joined/);
  });

  it.each(['5.12.0', '6.0.19-generic'])(
    'planTimeOffsets refuses a kernel that would leave the program outside: %s',
    (release) => {
      expect(() => plan({}, { type: 'time' }, release)).toThrow(
        new RegExp(`linux\\.namespaces\\[6\\].*this is ${release}`),
      );
    },
  );
});
