import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../errors.ts';
import { validateSpec } from '../load-bundle.ts';
import { hookKinds } from '../spec/hooks.ts';
import { stockSpec } from '../stock-spec.ts';

const validated = (hooks: unknown) => validateSpec({ ...stockSpec(), hooks }).hooks;

describe('hooksSchema', () => {
  it('hooksSchema accepts every kind, and all that a hook may leave out', () => {
    const hook = {
      path: '/bin/true',
      args: ['zero', ''],
      env: ['A=b=c', 'B='],
      timeout: 2_147_483,
    };
    const hooks = Object.fromEntries(hookKinds.map((kind) => [kind, [hook, { path: '/x' }]]));
    expect(validated(hooks)).toEqual(hooks);
    const empty = { prestart: null, poststop: [] };
    expect(validated(empty)).toEqual(empty);
    expect(validated(null)).toBeNull();
    const nulls = { prestart: [{ path: '/x', args: null, env: null, timeout: null }] };
    expect(validated(nulls)).toEqual(nulls);
  });

  it('hooksSchema drops kinds and properties that it does not know', () => {
    expect(validated({ ofTheFuture: [{ path: 7 }], poststop: [{ path: '/x', dir: '/' }] })).toEqual(
      {
        poststop: [{ path: '/x' }],
      },
    );
  });

  it.each<[field: string, hook: unknown, reason: RegExp]>([
    ['path', {}, /expected string/],
    ['path', { path: 'bin/true' }, /must be an absolute path/],
    ['path', { path: '/bin\0' }, /NUL/],
    ['args[1]', { path: '/x', args: ['a', 'b\0'] }, /NUL/],
    ['env[0]', { path: '/x', env: ['A=\0'] }, /NUL/],
    ['env[0]', { path: '/x', env: ['A'] }, /NAME=value/],
    ['env[0]', { path: '/x', env: ['=A'] }, /NAME=value/],
    ['timeout', { path: '/x', timeout: 0 }, /greater than zero/],
    ['timeout', { path: '/x', timeout: -1 }, /greater than zero/],
    ['timeout', { path: '/x', timeout: 1.5 }, /int/],
    ['timeout', { path: '/x', timeout: 2_147_484 }, /at most/],
  ])('hooksSchema refuses a wrong %s, case %#', (field, hook, reason) => {
    for (const kind of hookKinds) {
      let thrown: unknown;
      try {
        validated({ [kind]: [{ path: '/ok' }, hook] });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(InvalidConfigError);
      expect(thrown).toMatchObject({ field: `hooks.${kind}[1].${field}` });
      expect((thrown as Error).message).toMatch(reason);
    }
  });
});
