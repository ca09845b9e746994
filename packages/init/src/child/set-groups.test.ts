import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import { setGroups } from './set-groups.ts';
import { StepFailure } from './step-failure.ts';

const EPERM = 1;
const EINVAL = 22;

/** A kernel that refuses setgroups(2), and says why in /proc. */
function refusing({ errno = EPERM, text = 'deny\n' }): RecordingSyscall {
  return Object.assign(createRecordingSyscall(), {
    setgroups() {
      throw syscallError(errno, 'setgroups');
    },
    readAll: () => new TextEncoder().encode(text),
  });
}

describe('setGroups', () => {
  it.each([[[]], [[5, 6]]])('setGroups sets %j and reads nothing', (groups) => {
    const sys = createRecordingSyscall();
    setGroups(sys, groups);
    expect(sys.calls).toEqual([{ name: 'setgroups', args: [groups] }]);
  });

  it('setGroups leaves those that are there in a namespace that forbids it, and closes what it opened', () => {
    const sys = refusing({});
    setGroups(sys, []);
    const count = (...names: string[]): number =>
      sys.calls.filter(({ name }) => names.includes(name)).length;
    expect(count('openat2')).toBeGreaterThan(0);
    expect(count('close')).toBe(count('openat2'));
  });

  it('setGroups refuses groups in a namespace that forbids it', () => {
    expect(() => setGroups(refusing({}), [5])).toThrow(StepFailure);
    expect(() => setGroups(refusing({}), [5])).toThrow(/additionalGids/);
  });

  it.each([
    ['another error', { errno: EINVAL }],
    ['a namespace that allows it', { text: 'allow\n' }],
    ['no word of the kernel', { text: '' }],
  ])('setGroups fails with %s', (_, kernel) => {
    expect(() => setGroups(refusing(kernel), [])).toThrow(/setgroups/);
  });

  it('setGroups believes the kernel alone, not what anybody mounted on /proc', () => {
    const sys = Object.assign(refusing({}), {
      filesystemType: () => 0,
      fsopen() {
        throw syscallError(EPERM, 'fsopen');
      },
    });
    expect(() => setGroups(sys, [])).toThrow(/setgroups/);
  });
});
