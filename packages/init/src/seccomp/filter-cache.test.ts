import { describe, expect, it } from 'vitest';
import { FilterCache } from './filter-cache.ts';
import type { FilterProfile } from './plan-profile.ts';

const profile = (value: bigint, names = ['mkdir']): FilterProfile => ({
  defaultAction: 0,
  architectures: [],
  rules: [
    {
      names,
      action: 1,
      conditions: [{ index: 0, operator: 4, datumA: value, datumB: 0n }],
      index: 0,
    },
  ],
});

function counting(): { compile: () => string; count: () => number } {
  let calls = 0;
  return { compile: () => `filter ${++calls}`, count: () => calls };
}

describe('FilterCache', () => {
  it('FilterCache compiles equal profiles once, and others again', () => {
    const cache = new FilterCache(10);
    const { compile, count } = counting();
    expect(cache.get(profile(1n), compile)).toBe('filter 1');
    expect(cache.get(profile(1n), compile)).toBe('filter 1');
    expect(cache.get(profile(2n ** 64n - 1n), compile)).toBe('filter 2');
    expect(cache.get(profile(2n ** 64n - 2n), compile)).toBe('filter 3');
    expect(cache.get(profile(1n, ['mkdirat']), compile)).toBe('filter 4');
    expect(count()).toBe(4);
  });

  it('FilterCache gives up what was not used for longest', () => {
    const cache = new FilterCache(2);
    const { compile } = counting();
    cache.get(profile(1n), compile);
    cache.get(profile(2n), compile);
    cache.get(profile(1n), compile);
    cache.get(profile(3n), compile);
    expect(cache.size).toBe(2);
    expect(cache.get(profile(1n), compile)).toBe('filter 1');
    expect(cache.get(profile(2n), compile)).toBe('filter 4');
  });

  it('FilterCache keeps no failure', () => {
    const cache = new FilterCache(2);
    const fail = (): string => {
      throw new Error('no library');
    };
    expect(() => cache.get(profile(1n), fail)).toThrow('no library');
    expect(cache.get(profile(1n), () => 'filter')).toBe('filter');
  });
});
