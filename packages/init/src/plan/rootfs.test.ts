import { describe, expect, it } from 'vitest';
import type { OciRootfsPropagation } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from './mount-options.ts';
import { planRootfs } from './rootfs.ts';

function plan(rootfsPropagation?: OciRootfsPropagation, noPivot = false): unknown {
  const spec = stockSpec();
  spec.linux!.rootfsPropagation = rootfsPropagation;
  return planRootfs(spec, '/bundle', noPivot);
}
const root = { path: '/bundle/rootfs', readonly: true, readonlyBelow: false };
const own = (propagation: number, recursive: boolean): unknown => ({
  ownPropagation: { propagation, recursive },
});

describe('planRootfs', () => {
  it.each<[asked: OciRootfsPropagation | undefined, propagation: number, rest: unknown]>([
    [undefined, MS_SLAVE, {}],
    ['', MS_SLAVE, {}],
    ['slave', MS_SLAVE, {}],
    ['rslave', MS_SLAVE, {}],
    ['private', MS_PRIVATE, {}],
    ['rprivate', MS_PRIVATE, {}],
    ['unbindable', MS_PRIVATE, own(MS_UNBINDABLE, false)],
    ['runbindable', MS_PRIVATE, own(MS_UNBINDABLE, true)],
    ['rshared', MS_SHARED, own(MS_SHARED, true)],
  ])('planRootfs cuts off what is below for %j', (asked, propagation, rest) => {
    expect(plan(asked)).toEqual({
      ...root,
      propagation,
      propagationRecursive: true,
      ...(rest as object),
    });
  });

  it('planRootfs leaves volumes tied to the host for a shared root', () => {
    expect(plan('shared')).toEqual({
      ...root,
      propagation: MS_SHARED,
      propagationRecursive: false,
      ...(own(MS_SHARED, false) as object),
    });
  });

  it('planRootfs refuses what is not safe without pivot_root', () => {
    expect(plan('rslave', true)).toMatchObject({ noPivot: true });
    expect(() => plan('private', true)).toThrow(/linux\.rootfsPropagation: private is not safe/);
    const spec = stockSpec();
    spec.root.path = '/';
    expect(() => planRootfs(spec, '/', true)).toThrow(/root\.path/);
  });
});
