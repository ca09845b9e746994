import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planEnvironment } from './environment.ts';

const entries = fc.array(
  fc
    .tuple(fc.constantFrom('A', 'B', 'constructor', '__proto__'), fc.string())
    .map(([name, value]) => `${name}=${value}`),
);

describe('planEnvironment', () => {
  it('planEnvironment keeps the last of several entries of one name', () => {
    expect(planEnvironment(['A=1', 'B=x', 'A=2', 'AA=', 'A=3=4'])).toEqual(['B=x', 'AA=', 'A=3=4']);
  });

  it('planEnvironment names each variable once, and none that was not there', () => {
    fc.assert(
      fc.property(entries, (env) => {
        const planned = planEnvironment(env);
        const nameOf = (entry: string): string => entry.split('=')[0] ?? '';
        const names = planned.map(nameOf);
        expect(new Set(names).size).toBe(names.length);
        expect(new Set(names)).toEqual(new Set(env.map(nameOf)));
        for (const entry of planned) {
          expect(entry).toBe(env.findLast((one) => nameOf(one) === nameOf(entry)));
        }
      }),
    );
  });

  it('planEnvironment changes nothing where every name is there once', () => {
    expect(planEnvironment(['B=1', 'A=2'])).toEqual(['B=1', 'A=2']);
  });
});
