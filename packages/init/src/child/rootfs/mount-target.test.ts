import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { RESOLVE_IN_ROOT } from '../../syscall/constants.ts';
import { createRecordingSyscall } from '../../syscall/recording.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { openInRoot, openMountTarget } from './mount-target.ts';

const ROOT = 10;
const ENOENT = 2;
const EACCES = 13;
const EEXIST = 17;

/** A root with some paths in it; counts what stays open. */
function rootWith(...present: string[]): {
  sys: Syscall;
  made: string[];
  open: Map<number, string>;
} {
  const paths = new Set(['.', ...present]);
  const open = new Map<number, string>([[ROOT, '']]);
  const made: string[] = [];
  let nextFd = ROOT;
  const add = (path: string): number => {
    open.set(++nextFd, path);
    return nextFd;
  };
  const make = (dirfd: number, name: string): string => {
    const path = [open.get(dirfd)!, name].filter((part) => part !== '').join('/');
    expect(name).not.toContain('/');
    paths.add(path);
    made.push(path);
    return path;
  };
  const sys: Syscall = {
    ...createRecordingSyscall(),
    openat2(dirfd, path, _, resolve) {
      expect([dirfd, resolve]).toEqual([ROOT, RESOLVE_IN_ROOT]);
      if (path === 'secret') throw syscallError(EACCES, 'openat2', path);
      if (!paths.has(path)) throw syscallError(ENOENT, 'openat2', path);
      return add(path);
    },
    mkdirat: (dirfd, name) => void make(dirfd, name),
    createFile: (dirfd, name) => add(make(dirfd, name)),
    close(fd) {
      if (!open.delete(fd)) throw new Error(`close ${fd}: not open`);
    },
  };
  return { sys, made, open };
}

describe('openMountTarget', () => {
  it.each<[destination: string, kind: 'directory' | 'file', present: string[], made: string[]]>([
    ['/a/b', 'directory', ['a', 'a/b'], []],
    ['/a/b', 'directory', ['a'], ['a/b']],
    ['/a/b/c', 'directory', [], ['a', 'a/b', 'a/b/c']],
    ['/a/b/c', 'file', ['a'], ['a/b', 'a/b/c']],
    ['//a//b/', 'directory', ['a'], ['a/b']],
    ['/', 'directory', [], []],
  ])(
    'openMountTarget makes what is missing of %s, a %s',
    (destination, kind, present, expected) => {
      const { sys, made, open } = rootWith(...present);
      const fd = openMountTarget(sys, ROOT, destination, kind);
      expect(made).toEqual(expected);
      const path =
        destination
          .split('/')
          .filter((name) => name !== '')
          .join('/') || '.';
      expect([...open]).toEqual([
        [ROOT, ''],
        [fd, path],
      ]);
    },
  );

  it('openMountTarget takes what another launch made in the meantime', () => {
    const { sys, open } = rootWith();
    const mkdirat = sys.mkdirat.bind(sys);
    sys.mkdirat = (dirfd, name, mode) => {
      mkdirat(dirfd, name, mode);
      throw syscallError(EEXIST, 'mkdirat', name);
    };
    const fd = openMountTarget(sys, ROOT, '/a/b', 'directory');
    expect([...open]).toEqual([
      [ROOT, ''],
      [fd, 'a/b'],
    ]);
  });

  it('openMountTarget stops at a link that leads nowhere', () => {
    const { sys } = rootWith();
    sys.mkdirat = (_, name) => {
      throw syscallError(EEXIST, 'mkdirat', name);
    };
    expect(() => openMountTarget(sys, ROOT, '/a/b', 'directory')).toThrow(/EEXIST/);
  });

  it('openMountTarget hands on every failure but a missing path', () => {
    const { sys } = rootWith();
    expect(() => openMountTarget(sys, ROOT, '/secret', 'directory')).toThrow(/EACCES/);
  });
});

describe('openInRoot', () => {
  it('openInRoot tells a missing path from one that may not be opened', () => {
    const { sys } = rootWith('a');
    expect(openInRoot(sys, ROOT, 'a')).toBeTypeOf('number');
    expect(openInRoot(sys, ROOT, 'b')).toBeUndefined();
    expect(() => openInRoot(sys, ROOT, 'secret')).toThrow(/EACCES/);
  });
});
