import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  ChildDiedError,
  InitPackageError,
  InvalidConfigError,
  isLaunchError,
  LaunchError,
  UnknownExitError,
  UnsupportedConfigError,
  ZygoteError,
} from './errors.ts';

const killed = { code: null, signal: 9, core: false, raw: 9 };
const exited = { code: 255, signal: null, core: false, raw: 0xff00 };

describe('InitPackageError', () => {
  it.each<[error: InitPackageError, name: string, code: string]>([
    [new InvalidConfigError('a', 'b'), 'InvalidConfigError', 'ERR_INIT_INVALID_CONFIG'],
    [new UnsupportedConfigError('a', 'b'), 'UnsupportedConfigError', 'ERR_INIT_UNSUPPORTED_CONFIG'],
    [new LaunchError({ step: 'a', message: 'b' }), 'LaunchError', 'ERR_INIT_LAUNCH'],
    [new ZygoteError('a'), 'ZygoteError', 'ERR_INIT_ZYGOTE'],
    [new UnknownExitError('a'), 'UnknownExitError', 'ERR_INIT_UNKNOWN_EXIT'],
    [new ChildDiedError('a', exited), 'ChildDiedError', 'ERR_INIT_CHILD_DIED'],
  ])('InitPackageError is the base of $name with a stable code', (error, name, code) => {
    expect(error).toBeInstanceOf(InitPackageError);
    expect(error).toMatchObject({ name, code });
  });
});

describe('LaunchError', () => {
  it('LaunchError keeps every part as data', () => {
    const cause = new Error('below');
    const failure = {
      step: 'mounts',
      message: 'text',
      syscall: 'open_tree',
      errno: -2,
      errnoCode: 'ENOENT',
      path: '/missing',
      index: 3,
      hint: 'make it',
      cause,
    };
    expect(new LaunchError(failure)).toMatchObject(failure);
  });

  it('LaunchError becomes JSON with what is known of it, and keeps its transcript out of sight', () => {
    const error = new LaunchError({
      step: 'mounts',
      message: 'text',
      errno: -2,
      errnoCode: 'ENOENT',
      cause: new Error('below'),
      transcript: ['{"event":"begin"}'],
    });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'LaunchError',
      code: 'ERR_INIT_LAUNCH',
      message: 'text',
      step: 'mounts',
      errno: -2,
      errnoCode: 'ENOENT',
      cause: 'below',
      transcript: ['{"event":"begin"}'],
    });
    expect(inspect(error)).not.toContain('begin');
    expect(new LaunchError({ step: 'a', message: 'b' }).toJSON()).toEqual({
      name: 'LaunchError',
      code: 'ERR_INIT_LAUNCH',
      message: 'b',
      step: 'a',
      transcript: [],
    });
  });

  it('LaunchError is known across copies of the package, and nothing else is', () => {
    expect(isLaunchError(new LaunchError({ step: 'a', message: 'b' }))).toBe(true);
    const fromElsewhere = Object.defineProperty(
      new Error('b'),
      Symbol.for('@pilotlight/init.LaunchError'),
      { value: true },
    );
    expect(isLaunchError(fromElsewhere)).toBe(true);
    for (const other of [new Error('b'), new ZygoteError('b'), null, undefined, 'LaunchError']) {
      expect(isLaunchError(other)).toBe(false);
    }
  });
});

describe('ChildDiedError', () => {
  it('ChildDiedError says how the child ended and what it had reached', () => {
    expect(new ChildDiedError('procHooks', killed).message).toBe(
      'the child was killed by signal 9 after step "procHooks" without reporting why',
    );
    expect(new ChildDiedError('fork', exited).message).toContain('exited with 255');
  });
});
