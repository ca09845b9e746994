import { syscallError } from '@pilotlight/scm-rights';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import { createLinuxSyscall } from '../syscall/linux.ts';
import { withProcfs } from './procfs.ts';

const EXDEV = 18;
const ENOENT = 2;
const EACCES = 13;
const within = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

/** A double whose openat2 of `path` fails, `times` times. */
function failing(path: string, errno: number, times = 1): RecordingSyscall {
  const sys = createRecordingSyscall();
  const openat2 = sys.openat2.bind(sys);
  let left = times;
  sys.openat2 = (dirfd, name, flags, resolve) => {
    const fd = openat2(dirfd, name, flags, resolve);
    if (name === path && left-- > 0) throw syscallError(errno, 'openat2', name);
    return fd;
  };
  return sys;
}

const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);
const write = (sys: RecordingSyscall, path = 'sys/net/x'): void =>
  withProcfs(sys, (procfs) => procfs.write(path, '1'));

describe('withProcfs', () => {
  it('withProcfs writes below a /proc that is one, and crosses nothing on the way', () => {
    const sys = createRecordingSyscall();
    write(sys);
    expect(namesOf(sys)).toEqual([
      'openat2',
      'filesystemType',
      'openat2',
      'writeAll',
      'close',
      'close',
    ]);
    expect(sys.calls[2]?.args).toEqual([100, 'sys/net/x', 1, within]);
  });

  it.each([
    ['is missing', ENOENT],
    ['is a symbolic link', 40],
    ['is a file', 20],
  ])('withProcfs mounts one for itself where /proc %s', (_, errno) => {
    const sys = failing('/proc', errno);
    write(sys);
    expect(namesOf(sys)).toContain('fsmount');
    expect(namesOf(sys)).not.toContain('moveMount');
  });

  it('withProcfs mounts one for itself where /proc is another file system', () => {
    const sys = createRecordingSyscall();
    sys.filesystemType = () => 0x0102_1994;
    write(sys);
    expect(namesOf(sys)).toContain('fsmount');
  });

  it('withProcfs does not write through what is mounted over a part of /proc', () => {
    const sys = failing('sys/net/x', EXDEV);
    write(sys);
    const written = sys.calls.findIndex(({ name }) => name === 'writeAll');
    expect(namesOf(sys).slice(0, written)).toContain('fsmount');
    expect(namesOf(sys).filter((name) => name === 'close')).toHaveLength(4);
  });

  it.each([
    ['missing in procfs itself', ENOENT],
    ['not allowed', EACCES],
  ])('withProcfs fails on a file that is %s', (_, errno) => {
    expect(() => write(failing('sys/net/x', errno, 2))).toThrow(/openat2/);
  });

  it('withProcfs follows no link but the one to the process itself', () => {
    const sys = createRecordingSyscall();
    write(sys, 'thread-self/attr/exec');
    const opened = sys.calls.filter(({ name }) => name === 'openat2').slice(1);
    expect(opened.map(({ args }) => [args[1], Number(args[3]) & RESOLVE_NO_SYMLINKS])).toEqual([
      ['thread-self/', 0],
      ['attr/exec', RESOLVE_NO_SYMLINKS],
    ]);
  });
});

describe('withProcfs on this kernel', () => {
  const comm = (): string => readFileSync('/proc/thread-self/comm', 'utf8').trim();
  let before: string;
  beforeEach(() => {
    before = comm();
  });
  afterEach(() => withProcfs(createLinuxSyscall(), (own) => own.write('thread-self/comm', before)));

  it('withProcfs writes a file of this thread through the mounted /proc', () => {
    withProcfs(createLinuxSyscall(), (procfs) => procfs.write('thread-self/comm', 'mounted'));
    expect(comm()).toBe('mounted');
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(!isRoot)(
    'withProcfs writes it through one that is mounted nowhere (needs root)',
    () => {
      const sys = createLinuxSyscall();
      const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
      withProcfs({ ...sys, filesystemType: () => 0 }, (procfs) => {
        procfs.write('thread-self/comm', 'detached');
        expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
      });
      expect(comm()).toBe('detached');
    },
  );

  it('withProcfs does not follow a magic link out of procfs', () => {
    expect(() =>
      withProcfs(createLinuxSyscall(), (procfs) => procfs.write('thread-self/cwd/x', '')),
    ).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(() =>
      withProcfs(createLinuxSyscall(), (procfs) => procfs.write('sys/../../etc/x', '')),
    ).toThrow(/openat2/);
  });
});
