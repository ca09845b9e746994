import { open } from '@pilotlight/scm-rights/libc';
import { SyscallError, syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { CLONE_NEWPID } from '../plan/namespaces.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import { type ChildToFork, forkChild, LostPidNamespaceError } from './fork-child.ts';
import type { Fork, Forker } from './forker.ts';

const request: ChildToFork = {
  cloneFlags: 0,
  cgroupFd: undefined,
  pidNamespaceFd: 99,
  undumpable: true,
  child: { stdin: 0, stdout: 1, stderr: 2, init: 3, sync: 4 },
};
const nullDevice = (): number => open('/dev/null', 0);
const forkerOf = (fork: () => Fork): Forker => ({ fork });

/** The way back is whichever setns(2) is not to 99. */
function failingOnTheWayBack(): RecordingSyscall {
  const sys = createRecordingSyscall();
  sys.setns = (fd, _flags, name) => {
    if (fd !== 99) throw syscallError(1, 'setns', name);
  };
  return sys;
}

describe('forkChild', () => {
  it('forkChild comes back from the pid namespace of a child, also when it could not be forked', () => {
    const sys = createRecordingSyscall();
    const refuse = (): never => {
      throw syscallError(11, 'clone3');
    };
    expect(() => forkChild(sys, forkerOf(refuse), request)).toThrow(SyscallError);
    const joined = sys.calls.filter(({ name }) => name === 'setns').map(({ args }) => args);
    expect(joined).toEqual([
      [99, CLONE_NEWPID, 'pid'],
      [expect.any(Number), CLONE_NEWPID, 'pid'],
    ]);
  });

  it('forkChild says so when later children would be born in a foreign pid namespace', () => {
    const pidfd = nullDevice();
    const born = forkerOf(() => ({ pid: 7, pidfd }));
    expect(() => forkChild(failingOnTheWayBack(), born, request)).toThrow(LostPidNamespaceError);
    // Nobody else would close it: the lowest free number is given out again.
    expect(nullDevice()).toBe(pidfd);
  });

  it('forkChild says so even when the fork had failed', () => {
    const refuse = (): never => {
      throw syscallError(11, 'clone3');
    };
    expect(() => forkChild(failingOnTheWayBack(), forkerOf(refuse), request)).toThrow(
      LostPidNamespaceError,
    );
  });
});
