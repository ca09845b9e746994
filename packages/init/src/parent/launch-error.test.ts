import { encodePacket, isPeerInitError, peerInitError } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import { isLaunchError, type LaunchError } from '../errors.ts';
import { childFailure } from './launch-error.ts';

/** What becomes of a procError whose argument is this JSON text. */
function failureOf(rawArg: string): LaunchError {
  const error = peerInitError(rawArg);
  expect(isPeerInitError(error)).toBe(true);
  return childFailure(error);
}

describe('childFailure', () => {
  it('childFailure takes over what a child of ours reports', () => {
    const report = {
      message: 'mount proc at /proc: fsmount: EPERM (operation not permitted)',
      step: 'make working directory',
      syscall: 'fsmount',
      errno: -1,
      errnoCode: 'EPERM',
      path: '/proc',
      index: 3,
      hint: 'Give it the right.',
    };
    expect(failureOf(JSON.stringify(report))).toMatchObject(report);
  });

  it('childFailure bounds the text of a hostile child', () => {
    const long = '\u001b]0;x\u0007'.repeat(20_000);
    const failure = failureOf(JSON.stringify({ message: long, path: long, hint: long }));
    for (const text of [failure.message, failure.path!, failure.hint!]) {
      expect(text.length).toBeLessThan(8300);
      expect(text.slice(8190)).toMatch(/… \(120000 characters\)$/);
    }
    expect(failure.step).toBe('init');
    expect((failure.cause as Error).message.length).toBeLessThan(8300);
    expect(JSON.stringify(failure).length).toBeLessThan(100_000);
  });

  it.each([
    { errno: 1e300, index: 1e300 },
    { errno: 7, index: -1 },
    { errno: '1', index: '1' },
    { errno: 0.5, index: 0.5 },
    { errno: null, index: null },
    { errno: { valueOf: 1 }, index: [1] },
    { step: 5, syscall: ['x'], errnoCode: {}, path: 1, hint: true },
    { step: 's'.repeat(65), syscall: 'a b', errnoCode: 'E\u001b[2J' },
    { step: 'two\nlines', syscall: '', errnoCode: 'PERM' },
  ])('childFailure leaves out members that are not of their kind: %j', (members) => {
    const { step, errno, index, syscall, errnoCode, path, hint } = failureOf(
      JSON.stringify({ message: 'no', ...members }),
    );
    expect({ step, errno, index, syscall, errnoCode, path, hint }).toEqual({ step: 'init' });
  });

  it('childFailure is not led astray by __proto__', () => {
    const failure = failureOf(
      '{"message":"no","__proto__":{"path":"/polluted","index":5,"step":"evil"},"constructor":{"prototype":{"hint":"x"}}}',
    );
    expect(failure).toMatchObject({ message: 'no', step: 'init' });
    expect(failure.path).toBeUndefined();
    expect(failure.index).toBeUndefined();
    expect(isLaunchError(failure)).toBe(true);
    expect(({} as Record<string, unknown>)['path']).toBeUndefined();
  });

  it.each(['"text"', '[]', '5', '{"message":5}', '{"message":{"a":1}}', ''])(
    'childFailure makes an error of the argument %s',
    (rawArg) => {
      const failure = failureOf(rawArg);
      expect(failure.step).toBe('init');
      expect(failure.message).not.toBe('');
    },
  );

  it('a procError of a megabyte is no packet', () => {
    const arg = JSON.stringify({ message: 'x'.repeat(1 << 20) });
    expect(() => encodePacket({ type: 'procError', flags: 0, arg })).toThrow(/212960/);
  });
});
