import { describe, expect, it } from 'vitest';
import { isScmRightsError, isSyscallError, SyscallError, syscallError } from './errors.ts';
import { PacketTooLargeError } from './errors.ts';

describe('syscallError', () => {
  it.each([
    [2, 'open_tree', '/some/path', 'open_tree /some/path: ENOENT (no such file or directory)'],
    [-32, 'sendmsg', 7, 'sendmsg fd 7: EPIPE (broken pipe)'],
    [10, 'waitid', { fd: 3 }, 'waitid fd 3: ECHILD (no child processes)'],
    [3, 'pidfd_open', { pid: 12 }, 'pidfd_open pid 12: ESRCH (no such process)'],
    [66, 'ioctl', undefined, 'ioctl: EREMOTE (object is remote)'],
    [
      1,
      'move_mount',
      { fd: 4, dest: '/b' },
      'move_mount fd 4 to /b: EPERM (operation not permitted)',
    ],
    [4000, 'x', undefined, 'x: E4000 (system error 4000)'],
  ] as const)(
    'syscallError says call, operand and reason (%i)',
    (errno, call, operand, message) => {
      expect(syscallError(errno, call, operand).message).toBe(message);
    },
  );

  it('syscallError has the fields of a Node system error', () => {
    const error = syscallError(13, 'open', '/x');
    expect(error).toMatchObject({ code: 'EACCES', errno: -13, syscall: 'open', path: '/x' });
    expect('fd' in error).toBe(false);
  });
});

describe('hint', () => {
  it('syscallError has the hint for call and errno, for errno, or that of the caller', () => {
    expect(syscallError(1, 'open_tree', 3).hint).toMatch(/CAP_SYS_ADMIN/);
    expect(syscallError(24, 'open', '/x').hint).toMatch(/RLIMIT_NOFILE/);
    expect(syscallError(24, 'open', { path: '/x', hint: 'mine' }).hint).toBe('mine');
    expect('hint' in syscallError(2, 'open', '/x')).toBe(false);
  });
});

describe('isSyscallError', () => {
  it('isSyscallError recognises an error of another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), {
      [Symbol.for('@pilotlight/scm-rights/syscall-error')]: true,
      code: 'EPERM',
    });
    expect(isSyscallError(foreign)).toBe(true);
    expect(isSyscallError(foreign, 'EPERM')).toBe(true);
    expect(isSyscallError(foreign, 'ENOENT')).toBe(false);
  });

  it('isSyscallError refuses what only looks like one', () => {
    const node = Object.assign(new Error('x'), { code: 'EPERM', syscall: 'open', errno: -1 });
    expect([node, null, undefined, 'EPERM'].map((value) => isSyscallError(value))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('isScmRightsError covers system errors and our own', () => {
    const cause = new SyscallError(90, 'sendmsg', 3);
    const error = new PacketTooLargeError(3, 500, cause);
    expect(isScmRightsError(cause)).toBe(true);
    expect(isScmRightsError(error, 'ERR_SCM_PACKET_TOO_LARGE')).toBe(true);
    expect(isSyscallError(error)).toBe(false);
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('500 bytes');
  });
});
