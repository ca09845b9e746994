import { describe, expect, it } from 'vitest';
import { stockSpec } from '../config/stock-spec.ts';
import { childHooks, planHooks, totalTimeoutMs } from './hooks.ts';

const plan = (hooks: ReturnType<typeof stockSpec>['hooks']) =>
  planHooks({ ...stockSpec(), annotations: { a: 'b' }, hooks }, 'demo', '/bundle');

describe('planHooks', () => {
  it('planHooks plans nothing where there are no hooks', () => {
    for (const hooks of [undefined, null, {}, { prestart: null, poststop: [] }]) {
      expect(plan(hooks)).toBeUndefined();
      expect(childHooks(plan(hooks))).toBeUndefined();
    }
  });

  it('planHooks fills in what a hook leaves out, and keeps the order', () => {
    const planned = plan({
      createRuntime: [
        { path: '/a' },
        { path: '/b', args: [], env: null, timeout: null },
        { path: '/c', args: ['zero', 'one'], env: ['A=1'], timeout: 7 },
      ],
    })!;
    const common = { kind: 'createRuntime', timeoutMs: null, env: [] };
    expect(planned.createRuntime).toEqual([
      { ...common, index: 0, path: '/a', args: ['/a'] },
      { ...common, index: 1, path: '/b', args: ['/b'] },
      { ...common, index: 2, path: '/c', args: ['zero', 'one'], env: ['A=1'], timeoutMs: 7000 },
    ]);
    expect(planned.poststop).toEqual([]);
    expect(planned.state).toEqual({ id: 'demo', bundle: '/bundle', annotations: { a: 'b' } });
    expect(totalTimeoutMs(planned.createRuntime)).toBe(7000);
  });

  it('childHooks are those that run in the container, where there are any', () => {
    const path = '/x';
    expect(childHooks(plan({ prestart: [{ path }], poststop: [{ path }] }))).toBeUndefined();
    expect(childHooks(plan({ prestart: [{ path }], startContainer: [{ path }] }))).toMatchObject({
      createContainer: [],
      startContainer: [{ kind: 'startContainer', index: 0 }],
      state: { id: 'demo' },
    });
  });
});
