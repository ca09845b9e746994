import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { parseCommandLine } from './global-options.ts';

const asRoot = { env: {}, uid: 0 };

describe('parseCommandLine', () => {
  it('takes global flags in both spellings, up to the command', () => {
    const line = parseCommandLine(
      ['--root', '/a', '--log=/b', '--log-format=json', 'list', '-q'],
      asRoot,
    );
    expect(line).toEqual({
      options: { root: '/a', log: '/b', logFormat: 'json', version: false },
      inputs: ['list', '-q'],
      program: undefined,
    });
  });

  it('keeps everything after -- of run as it is', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (program) => {
        const { inputs, program: kept } = parseCommandLine(['run', '-d', '--', ...program], asRoot);
        expect(inputs).toEqual(['run', '-d']);
        expect(kept).toEqual(program);
      }),
    );
  });

  it('keeps everything after exec-ext as it is, but for a call for help', () => {
    const words = ['--root', 'r', '-9', '--log=', '--', 'exec', '-h'];
    expect(parseCommandLine(['--root=/a', 'exec-ext', ...words], asRoot)).toMatchObject({
      options: { root: '/a' },
      inputs: ['exec-ext'],
      program: words,
    });
    expect(parseCommandLine(['exec-ext', '--help'], asRoot).inputs).toEqual(['exec-ext', '--help']);
  });

  it('leaves -- of other commands to them', () => {
    const { inputs, program } = parseCommandLine(['state', '--', '-x'], asRoot);
    expect(inputs).toEqual(['state', '--', '-x']);
    expect(program).toBeUndefined();
  });

  it('puts the store of root under /run, and that of another user into the session', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/7' };
    expect(parseCommandLine(['list'], { env, uid: 0 }).options.root).toBe('/run/pilotlight');
    expect(parseCommandLine(['list'], { env, uid: 7 }).options.root).toBe('/run/user/7/pilotlight');
    expect(parseCommandLine(['list'], { env: {}, uid: 7 }).options.root).toBe('/run/pilotlight');
  });

  it.each([
    [['--debug', 'list'], /--debug is not a global flag/],
    [['--root'], /--root needs a value/],
    [['--root=', 'list'], /--root needs a value/],
    [['--log-format', 'xml', 'list'], /neither text nor json/],
    [['run', '--bundle=', 'x'], /--bundle needs a value/],
    [['run', '-b=', 'x'], /-b needs a value/],
    [['run', '--9', 'x'], /unknown flag --9/],
    [['run', '-9', 'x'], /unknown flag -9/],
    [['run', '---', 'x'], /unknown flag ---/],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommandLine(args, asRoot)).toThrow(UsageError);
    expect(() => parseCommandLine(args, asRoot)).toThrow(message);
  });
});
