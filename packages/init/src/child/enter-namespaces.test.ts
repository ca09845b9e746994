import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER } from '../plan/namespaces.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { enterNamespaces } from './enter-namespaces.ts';

const joins = [
  { flags: CLONE_NEWNET, name: '/net' },
  { flags: CLONE_NEWUSER, name: '/user' },
  { flags: CLONE_NEWNS, name: '/mnt' },
];
const fds = [10, 11, 12];

describe('enterNamespaces', () => {
  it('enterNamespaces enters the user namespace last, while all rights are there', () => {
    const sys = createRecordingSyscall();
    enterNamespaces(sys, joins, fds);
    const joined = sys.calls.filter(({ name }) => name === 'setns');
    expect(joined.map(({ args }) => args)).toEqual([
      [10, CLONE_NEWNET, '/net'],
      [12, CLONE_NEWNS, '/mnt'],
      [11, CLONE_NEWUSER, '/user'],
    ]);
  });

  it('enterNamespaces tries again with the rights of the user namespace', () => {
    const sys = createRecordingSyscall();
    const entered: string[] = [];
    let isInUser = false;
    sys.setns = (_fd, flags, name) => {
      if (flags === CLONE_NEWUSER) isInUser = true;
      else if (!isInUser) throw syscallError(1, 'setns', name);
      entered.push(name);
    };
    enterNamespaces(sys, joins, fds);
    expect(entered).toEqual(['/user', '/net', '/mnt']);
  });

  it('enterNamespaces names the one that cannot be entered, and its place', () => {
    const sys = createRecordingSyscall();
    sys.setns = (_fd, _flags, name) => {
      throw syscallError(22, 'setns', name);
    };
    expect(() => enterNamespaces(sys, joins, fds)).toThrow(
      expect.objectContaining({
        message: 'join namespace /net',
        index: 0,
        hint: expect.stringContaining('type'),
      }),
    );
  });

  it('enterNamespaces tries nothing again where there is no user namespace', () => {
    const sys = createRecordingSyscall({ failAt: 0 });
    expect(() => enterNamespaces(sys, [joins[0]!, joins[2]!], [10, 12])).toThrow('/net');
    expect(sys.calls).toHaveLength(1);
  });

  it('enterNamespaces leaves the launcher’s groups before a user namespace that may forbid it', () => {
    const sys = createRecordingSyscall();
    enterNamespaces(sys, [{ flags: CLONE_NEWNET | CLONE_NEWUSER, name: 'of a container' }], [10]);
    expect(sys.calls.map(({ name }) => name)).toEqual(['setgroups', 'setns']);
    expect(sys.calls[0]!.args).toEqual([[]]);
  });

  it('enterNamespaces lets an unprivileged launcher keep the groups that it cannot leave', () => {
    const sys = createRecordingSyscall();
    sys.setgroups = () => {
      throw syscallError(1, 'setgroups');
    };
    enterNamespaces(sys, joins, fds);
    expect(sys.calls).toHaveLength(3);
  });

  it('enterNamespaces makes no call for a launch without a user namespace to join', () => {
    const sys = createRecordingSyscall();
    enterNamespaces(sys, [joins[0]!], [10]);
    expect(sys.calls).toHaveLength(1);
  });
});
