import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { S_IFDIR, S_IFREG } from '../syscall/constants.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { findProgram } from './program.ts';
import { describeFailure } from './step-failure.ts';

const ENOENT = 2;
const EACCES = 13;

type File = 'runs' | 'not executable' | 'directory' | 'out of reach';

function withFiles(files: Record<string, File>): Syscall {
  return {
    ...createRecordingSyscall(),
    statx(_, path) {
      const file = files[path];
      if (file === undefined) throw syscallError(ENOENT, 'statx', path);
      if (file === 'out of reach') throw syscallError(EACCES, 'statx', path);
      return {
        mode: (file === 'directory' ? S_IFDIR : S_IFREG) | 0o755,
        deviceMajor: 0,
        deviceMinor: 0,
      };
    },
    access(path) {
      if (files[path] !== 'runs') throw syscallError(EACCES, 'access', path);
    },
  };
}

function failure(
  files: Record<string, File>,
  name: string,
  env: string[],
): Record<string, unknown> {
  try {
    findProgram(withFiles(files), name, env);
  } catch (error) {
    return describeFailure('exec', error);
  }
  throw new Error('it was found');
}

const env = ['PATH=/a:/b'];

describe('findProgram', () => {
  it('findProgram takes a name with a slash as it is', () => {
    expect(findProgram(withFiles({ './x': 'runs' }), './x', env)).toBe('./x');
    expect(failure({ '/a/x': 'runs' }, '/x', env)).toMatchObject({
      errnoCode: 'ENOENT',
      path: '/x',
    });
  });

  it('findProgram takes the first in PATH that can be run', () => {
    expect(findProgram(withFiles({ '/a/x': 'runs', '/b/x': 'runs' }), 'x', env)).toBe('/a/x');
    for (const first of ['not executable', 'directory', 'out of reach'] as const) {
      expect(findProgram(withFiles({ '/a/x': first, '/b/x': 'runs' }), 'x', env)).toBe('/b/x');
    }
  });

  it('findProgram uses the last PATH of several, and skips empty directories in it', () => {
    const files = withFiles({ '/b/x': 'runs', '/x': 'runs', x: 'runs' });
    expect(findProgram(files, 'x', ['PATH=/a', 'PATH=::/b'])).toBe('/b/x');
  });

  it.each(['not executable', 'directory', 'out of reach'] as const)(
    'findProgram says EACCES where all there is is %s',
    (file) => {
      for (const [name, path] of [
        ['x', '/b/x'],
        ['/b/x', '/b/x'],
      ] as const) {
        const report = failure({ '/b/x': file }, name, env);
        expect(report).toMatchObject({ errnoCode: 'EACCES', path });
        expect(report['hint']).toContain('executable');
      }
    },
  );

  it.each([
    ['x', env],
    ['x', []],
    ['x', ['PATH=']],
    ['', env],
  ] as [string, string[]][])('findProgram says ENOENT for %j with %j', (name, environment) => {
    const report = failure({}, name, environment);
    expect(report).toMatchObject({ errnoCode: 'ENOENT', errno: -2, path: name });
    expect(report['message']).toContain(`run ${JSON.stringify(name)}`);
    expect(report['hint']).toContain('PATH');
  });
});
