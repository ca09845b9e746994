import { LaunchError } from '@pilotlight/init';
import type { ExitRecord } from '@pilotlight/process-store';
import { describe, expect, it } from 'vitest';
import { InterruptedError, UsageError } from './errors.ts';
import { exitCodeOfEnd, exitCodes } from './exit-code.ts';
import { exitCodeOfFailure } from './exit-code-of-failure.ts';

const about = {
  id: 'x',
  started: true,
  exitedAt: null,
  observedAt: '',
  oom: null,
  source: 'pin',
} as const;
const exited = (code: number): ExitRecord => ({
  ...about,
  kind: 'exited',
  rawStatus: code << 8,
  code,
  signal: null,
  core: false,
});
const signaled = (signal: number): ExitRecord => ({
  ...about,
  kind: 'signaled',
  rawStatus: signal,
  code: null,
  signal,
  core: false,
});

describe('exitCodeOfEnd', () => {
  it('is the code of a program that exited, and 128 + n for signal n', () => {
    for (let code = 0; code < 256; code++) expect(exitCodeOfEnd(exited(code))).toBe(code);
    for (let signal = 1; signal < 65; signal++)
      expect(exitCodeOfEnd(signaled(signal))).toBe(128 + signal);
  });

  it('has a code of its own for an end that nobody knows', () => {
    const code = exitCodeOfEnd({ ...about, kind: 'unknown', reason: 'reboot' });
    expect(code).toBe(exitCodes.unknownStatus);
    expect([0, 137, 255]).not.toContain(code);
  });
});

describe('exitCodeOfFailure', () => {
  const failure = (step: string, errnoCode?: string): LaunchError =>
    new LaunchError({ step, message: 'm', ...(errnoCode === undefined ? {} : { errnoCode }) });

  it.each([
    [125, new Error('any')],
    [125, new UsageError('m', 'h')],
    [125, 'thrown text'],
    [127, failure('exec', 'ENOENT')],
    [126, failure('exec', 'EACCES')],
    [126, failure('exec', 'ENOEXEC')],
    [125, failure('mounts', 'ENOENT')],
    [127, new Error('clean-up failed', { cause: failure('exec', 'ENOENT') })],
    [130, new InterruptedError('SIGINT', 2)],
  ])('is %i for %s', (code, error) => {
    expect(exitCodeOfFailure(error)).toBe(code);
  });
});
