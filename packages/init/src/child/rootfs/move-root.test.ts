import { describe, expect, it } from 'vitest';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { syscallError } from '@pilotlight/scm-rights';
import { fullMountsOutside, moveRoot } from './move-root.ts';

const mountinfo = [
  '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw',
  '23 27 0:22 / /sys rw,relatime - sysfs sysfs rw',
  '24 22 0:21 /sys /proc/sys ro - proc proc rw',
  '25 27 0:30 / /mnt/my\\040proc rw - proc proc rw',
  '26 28 0:31 / /bundle/rootfs/proc rw - proc proc rw',
  '28 27 0:32 / /bundle/rootfs rw - sysfs sysfs rw',
  '29 27 0:33 / /bundle/rootfs-other/sys rw - sysfs sysfs rw',
  '30 27 0:34 / /tmp rw - tmpfs tmpfs rw',
  '',
].join('\n');

function withMountinfo(): RecordingSyscall {
  const sys = createRecordingSyscall();
  sys.mountId = () => 28;
  sys.readAll = () => new TextEncoder().encode(mountinfo);
  return sys;
}

describe('fullMountsOutside', () => {
  it('fullMountsOutside finds whole instances only, and none inside the root', () => {
    expect(fullMountsOutside(mountinfo, 28)).toEqual([
      '/bundle/rootfs-other/sys',
      '/mnt/my proc',
      '/sys',
      '/proc',
    ]);
  });
});

describe('moveRoot', () => {
  it('moveRoot takes the host’s off before it moves the root and changes into it', () => {
    const sys = withMountinfo();
    moveRoot(sys, 10);
    const names = sys.calls.map(({ name }) => name);
    expect(names.filter((name) => name === 'umount2')).toHaveLength(4);
    expect(names.lastIndexOf('umount2')).toBeLessThan(names.indexOf('moveMount'));
    expect(names.slice(-4)).toEqual(['close', 'fchdir', 'chroot', 'chdir']);
    // Cut off first: the host must not lose them.
    expect(names.indexOf('mountSetattr')).toBeLessThan(names.indexOf('umount2'));
  });

  it('moveRoot covers what it may not take off', () => {
    const sys = withMountinfo();
    sys.umount2 = (path) => {
      throw syscallError(22, 'umount2', path);
    };
    moveRoot(sys, 10);
    const covers = sys.calls.filter(({ name }) => name === 'moveMount').map(({ args }) => args[2]);
    expect(covers).toEqual(['/bundle/rootfs-other/sys', '/mnt/my proc', '/sys', '/proc', '/']);
  });
});
