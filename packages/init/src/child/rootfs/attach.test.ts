import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
} from '../../plan/mount-options.ts';
import { createRecordingSyscall } from '../../syscall/recording.ts';
import type { MountAttributes, Syscall } from '../../syscall/syscall.ts';
import { changeAttributes } from './attach.ts';

const EPERM = 1;
const EINVAL = 22;

/** A mount of a more privileged user namespace: nothing of it can be cleared. */
function locked(errno = EPERM): { sys: Syscall; asked: MountAttributes[] } {
  const asked: MountAttributes[] = [];
  const sys: Syscall = {
    ...createRecordingSyscall(),
    mountSetattr(_, path, _flags, attributes) {
      asked.push(attributes);
      const isLocked = attributes.clear !== 0 || (attributes.set & MOUNT_ATTR_NODIRATIME) !== 0;
      if (isLocked) throw syscallError(errno, 'mount_setattr', path);
    },
  };
  return { sys, asked };
}

describe('changeAttributes', () => {
  it('changeAttributes asks for nothing where nothing changes', () => {
    const sys = createRecordingSyscall();
    changeAttributes(sys, 9, { set: 0, clear: 0 }, true);
    expect(sys.calls).toEqual([]);
  });

  it.each<[what: string, set: number, clear: number, kept: number[]]>([
    ['only clears', 0, MOUNT_ATTR_NOSUID, []],
    ['sets as well', MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, [MOUNT_ATTR_RDONLY]],
    // The access time cannot be set without its field being cleared.
    ['sets the access time', MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, []],
    ['sets nodiratime', MOUNT_ATTR_NODIRATIME, 0, []],
    ['sets nodiratime as well', MOUNT_ATTR_NODIRATIME | 1, 0, [MOUNT_ATTR_RDONLY]],
    ['sets both', MOUNT_ATTR_NOATIME | 1, MOUNT_ATTR__ATIME, [MOUNT_ATTR_RDONLY]],
  ])('changeAttributes keeps what is locked when it %s', (_, set, clear, kept) => {
    const { sys, asked } = locked();
    changeAttributes(sys, 9, { set, clear }, false);
    expect(asked[0]).toEqual({ set, clear, propagation: 0 });
    expect(asked.slice(1)).toEqual(kept.map((bits) => ({ set: bits, clear: 0, propagation: 0 })));
  });

  it('changeAttributes hands on every other failure', () => {
    const { sys } = locked(EINVAL);
    expect(() => changeAttributes(sys, 9, { set: 0, clear: 1 }, false)).toThrow(/EINVAL/);
    const refusing = createRecordingSyscall({ failAt: 0 });
    expect(() => changeAttributes(refusing, 9, { set: 1, clear: 0 }, false)).toThrow(/EPERM/);
  });
});
