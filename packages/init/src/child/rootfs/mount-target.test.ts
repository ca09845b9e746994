import { syscallError } from '@pilotlight/scm-rights';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '../../syscall/constants.ts';
import { createRecordingSyscall } from '../../syscall/recording.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { openMountTarget, openPlace } from './mount-target.ts';

const ROOT = 10;
const ENOENT = 2;
const EACCES = 13;
const EEXIST = 17;
const EINVAL = 22;
const ELOOP = 40;

type Root = { sys: Syscall; made: string[]; open: Map<number, string>; files: Map<string, string> };

/** A root by its paths: `''` for a directory or file, anything else is where a link leads. */
function rootWith(present: Record<string, string> = {}): Root {
  const files = new Map<string, string>([['', ''], ...Object.entries(present)]);
  const open = new Map<number, string>([[ROOT, '']]);
  const made: string[] = [];
  let nextFd = ROOT;
  const under = (dirfd: number, name: string): string =>
    [open.get(dirfd)!, ...name.split('/')].filter((part) => part !== '' && part !== '.').join('/');
  const add = (path: string): number => {
    open.set(++nextFd, path);
    return nextFd;
  };
  const make = (dirfd: number, name: string): string => {
    const path = under(dirfd, name);
    expect(name).not.toContain('/');
    if (files.has(path)) throw syscallError(EEXIST, 'mkdirat', path);
    files.set(path, '');
    made.push(path);
    return path;
  };
  const sys: Syscall = {
    ...createRecordingSyscall(),
    openat2(dirfd, name, _, resolve) {
      expect(resolve).toBe(RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
      expect(name === '..' || name.includes('../')).toBe(false);
      const path = under(dirfd, name);
      if (path === 'secret') throw syscallError(EACCES, 'openat2', path);
      const parts = path.split('/');
      for (let depth = 1; depth <= parts.length; depth++) {
        const found = files.get(parts.slice(0, depth).join('/'));
        if (found === undefined) throw syscallError(ENOENT, 'openat2', path);
        if (found !== '') throw syscallError(ELOOP, 'openat2', path);
      }
      return add(path);
    },
    readlinkat(dirfd, name) {
      const target = files.get(under(dirfd, name)) ?? '';
      if (target === '') throw syscallError(EINVAL, 'readlinkat', name);
      return target;
    },
    mkdirat: (dirfd, name) => void make(dirfd, name),
    createFile: (dirfd, name) => add(make(dirfd, name)),
    close(fd) {
      if (fd === ROOT || !open.delete(fd)) throw new Error(`close ${fd}: not open or not ours`);
    },
  };
  return { sys, made, open, files };
}

describe('openPlace', () => {
  it.each<
    [
      path: string,
      kind: 'directory' | 'file',
      present: Record<string, string>,
      made: string[],
      reached: string,
    ]
  >([
    ['/a/b', 'directory', { a: '', 'a/b': '' }, [], '/a/b'],
    ['/a/b', 'directory', { a: '' }, ['a/b'], '/a/b'],
    ['/a/b/c', 'directory', {}, ['a', 'a/b', 'a/b/c'], '/a/b/c'],
    ['/a/b/c', 'file', { a: '' }, ['a/b', 'a/b/c'], '/a/b/c'],
    ['//a//b/', 'directory', { a: '' }, ['a/b'], '/a/b'],
    ['/', 'directory', {}, [], '/'],
    // Links: relative, absolute, upwards beyond the root, one after the other, to nothing yet.
    ['/l/b', 'directory', { l: 'a', a: '' }, ['a/b'], '/a/b'],
    ['/l', 'directory', { l: '/a/b', a: '', 'a/b': '' }, [], '/a/b'],
    ['/a/l/c', 'file', { a: '', 'a/l': '../../../../b', b: '' }, ['b/c'], '/b/c'],
    ['/l/m', 'directory', { l: 'a', a: '', 'a/m': '/n', n: '' }, [], '/n'],
    ['/l', 'directory', { l: 'x/./y' }, ['x', 'x/y'], '/x/y'],
    ['/l', 'directory', { l: '/' }, [], '/'],
    ['/a/l', 'directory', { a: '', 'a/l': '..' }, [], '/'],
  ])('openPlace opens %s, a %s, in %j', (path, kind, present, expected, reached) => {
    const { sys, made, open } = rootWith(present);
    const place = openPlace(sys, ROOT, path, kind);
    expect(made).toEqual(expected);
    expect(place).toMatchObject({ path: reached, made: expected.length > 0 });
    expect([...open]).toEqual([
      [ROOT, ''],
      [place.fd, reached.slice(1)],
    ]);
  });

  it('openPlace takes what another launch made in the meantime', () => {
    const { sys, open } = rootWith();
    const mkdirat = sys.mkdirat.bind(sys);
    sys.mkdirat = (dirfd, name, mode) => {
      mkdirat(dirfd, name, mode);
      throw syscallError(EEXIST, 'mkdirat', name);
    };
    const { fd } = openPlace(sys, ROOT, '/a/b', 'directory');
    expect([...open]).toEqual([
      [ROOT, ''],
      [fd, 'a/b'],
    ]);
  });

  it('openPlace looks again when a link is none any more', () => {
    const { sys, files } = rootWith({ a: '/b', b: '' });
    sys.readlinkat = (_, name) => {
      files.set(name, '');
      throw syscallError(EINVAL, 'readlinkat', name);
    };
    expect(openPlace(sys, ROOT, '/a', 'directory').path).toBe('/a');
  });

  it.each([
    ['links in a circle', { a: 'b', b: 'a' }],
    ['a link to itself', { a: 'a' }],
  ])('openPlace gives up on %s', (_, present) => {
    const { sys } = rootWith(present);
    expect(() => openPlace(sys, ROOT, '/a', 'directory')).toThrow(/ELOOP/);
  });

  it('openPlace gives up on a name that changes all the time', () => {
    const { sys } = rootWith({ a: 'b' });
    sys.readlinkat = (_, name) => {
      throw syscallError(EINVAL, 'readlinkat', name);
    };
    expect(() => openPlace(sys, ROOT, '/a', 'directory')).toThrow(/ELOOP/);
  });

  it('openPlace hands on every failure but a missing path', () => {
    const { sys } = rootWith();
    expect(() => openPlace(sys, ROOT, '/secret', 'directory')).toThrow(/EACCES/);
  });

  it('openPlace stays inside the root and closes what it opened, wherever links lead', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const text = fc
      .array(fc.oneof(name, fc.constantFrom('..', '.', '')), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'))
      .filter((link) => link !== '');
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.oneof(text, fc.constant(''))),
        fc.array(name, { minLength: 1, maxLength: 3 }),
        (present, names) => {
          const { sys, open } = rootWith(present);
          let reached: string | undefined;
          let failure = 'ELOOP';
          try {
            const { fd } = openPlace(sys, ROOT, `/${names.join('/')}`, 'directory');
            reached = open.get(fd);
          } catch (error) {
            failure = String(error);
          }
          // It ends, in one of two ways.
          expect(failure).toContain('ELOOP');
          expect(reached ?? '').not.toContain('..');
          expect(reached === undefined || open.size === 2).toBe(true);
        },
      ),
    );
  });
});

describe('openMountTarget', () => {
  it.each<[destination: string, present: Record<string, string>]>([
    ['/a', { a: '/proc', proc: '' }],
    ['/a', { a: 'proc/self', proc: '', 'proc/self': '' }],
    ['/a', { a: 'proc/uptime', proc: '' }],
    ['/a', { a: '/' }],
  ])('openMountTarget refuses %s where links lead to %j', (destination, present) => {
    const { sys } = rootWith(present);
    expect(() => openMountTarget(sys, ROOT, destination, 'directory')).toThrow(
      /links in the root file system lead \/a to \//,
    );
  });

  it('openMountTarget follows the links of procfs to a file that may be covered', () => {
    const { sys } = rootWith({ proc: '', 'proc/net': '1/net', 'proc/1': '', 'proc/1/net': '' });
    expect(openMountTarget(sys, ROOT, '/proc/net/dev', 'file').path).toBe('/proc/1/net/dev');
  });
});
