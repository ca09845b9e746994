import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import type { InitConfig } from '../config/init-config.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import { dropGroups } from './drop-groups.ts';
import { PROC_SUPER_MAGIC } from './procfs.ts';
import { StepFailure } from './step-failure.ts';

const EPERM = 1;
const EINVAL = 22;

/** A kernel that refuses setgroups(2), and says why in /proc. */
function refusing({ errno = EPERM, text = 'deny\n', isProcfs = true }): RecordingSyscall {
  const sys = createRecordingSyscall();
  return Object.assign(sys, {
    setgroups() {
      throw syscallError(errno, 'setgroups');
    },
    filesystemType: () => (isProcfs ? PROC_SUPER_MAGIC : 0),
    readAll: () => new TextEncoder().encode(text),
  });
}

const config = (canSetGroups = true, additionalGids: number[] = []): InitConfig =>
  ({ canSetGroups, user: { uid: 0, gid: 0, additionalGids } }) as unknown as InitConfig;

describe('dropGroups', () => {
  it('dropGroups drops them and reads nothing', () => {
    const sys = createRecordingSyscall();
    expect(dropGroups(sys, config())).toBe(true);
    expect(sys.calls).toEqual([{ name: 'setgroups', args: [[]] }]);
  });

  it('dropGroups does nothing where it is known to be forbidden', () => {
    const sys = createRecordingSyscall();
    expect(dropGroups(sys, config(false))).toBe(false);
    expect(sys.calls).toEqual([]);
  });

  it('dropGroups leaves them in a namespace that forbids setgroups(2), and closes what it opened', () => {
    const sys = refusing({});
    expect(dropGroups(sys, config())).toBe(false);
    expect(sys.calls.map(({ name }) => name)).toEqual(['openat2', 'close']);
  });

  it('dropGroups refuses groups in a namespace that forbids setgroups(2)', () => {
    expect(() => dropGroups(refusing({}), config(true, [5]))).toThrow(StepFailure);
    expect(() => dropGroups(refusing({}), config(true, [5]))).toThrow(/additionalGids/);
  });

  it.each([
    ['another error', { errno: EINVAL }],
    ['a namespace that allows it', { text: 'allow\n' }],
    ['a file that anybody could have put there', { isProcfs: false }],
  ])('dropGroups fails with %s', (_, kernel) => {
    expect(() => dropGroups(refusing(kernel), config())).toThrow(/setgroups/);
  });
});
