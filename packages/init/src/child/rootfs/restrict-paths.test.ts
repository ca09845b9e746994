import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { S_IFCHR, S_IFREG } from '../../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { makePathsReadonly, maskPaths, requireNullDevice } from './restrict-paths.ts';

const nullDevice = { mode: S_IFCHR | 0o666, deviceMajor: 1, deviceMinor: 3 };

function withFile(mode: number, device = nullDevice): RecordingSyscall {
  const sys = createRecordingSyscall();
  let asked = 0;
  // First the path to mask, then what it is masked with.
  sys.statx = () => (asked++ === 0 ? { mode, deviceMajor: 0, deviceMinor: 0 } : device);
  return sys;
}
const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);

describe('maskPaths', () => {
  it('maskPaths hides files behind the null device, at which it looks once', () => {
    const sys = createRecordingSyscall({ files: ['/proc/kcore', '/proc/keys'] });
    maskPaths(sys, ['/proc/kcore', '/proc/keys']);
    const looks = sys.calls.filter(
      ({ name, args }) => name === 'openat2' && args[1] === '/dev/null',
    );
    expect(looks).toHaveLength(1);
    const names = namesOf(sys);
    expect(names.filter((name) => name === 'openTree')).toHaveLength(2);
    expect(names.filter((name) => name === 'moveMount')).toHaveLength(2);
    expect(names.filter((name) => name === 'close')).toHaveLength(5);
  });

  it('maskPaths hides directories behind clones of one empty file system', () => {
    const sys = createRecordingSyscall();
    maskPaths(sys, ['/proc/acpi', '/proc/scsi', '/sys/firmware']);
    const names = namesOf(sys);
    expect(names.filter((name) => name === 'fsmount')).toHaveLength(1);
    expect(names.filter((name) => name === 'moveMount')).toHaveLength(3);
    // Attached before it is cloned.
    expect(names.indexOf('moveMount')).toBeLessThan(names.indexOf('openTree'));
    const opened = names.filter((name) =>
      ['openat2', 'openTree', 'fsmount', 'fsopen'].includes(name),
    );
    expect(names.filter((name) => name === 'close')).toHaveLength(opened.length);
  });

  it('maskPaths refuses a /dev/null that is something else', () => {
    const sys = withFile(S_IFREG, { mode: S_IFREG, deviceMajor: 0, deviceMinor: 0 });
    expect(() => {
      maskPaths(sys, ['/proc/kcore']);
    }).toThrow(/mask \/proc\/kcore \(linux\.maskedPaths\[0\]\)/);
    expect(namesOf(sys)).not.toContain('moveMount');
  });

  it.each([2, 20])(
    'maskPaths and makePathsReadonly pass over what is not there (errno %i)',
    (errno) => {
      for (const restrict of [maskPaths, makePathsReadonly]) {
        const sys = createRecordingSyscall();
        sys.openat2 = (_, path) => {
          throw syscallError(errno, 'openat2', path);
        };
        restrict(sys, ['/proc/nothing']);
        expect(sys.calls).toEqual([]);
      }
    },
  );

  it('maskPaths and makePathsReadonly fail where a path is there and cannot be opened', () => {
    for (const restrict of [maskPaths, makePathsReadonly]) {
      const sys = createRecordingSyscall({ failAt: 0 });
      expect(() => {
        restrict(sys, ['/proc/kcore']);
      }).toThrow(/\/proc\/kcore/);
    }
  });
});

describe('requireNullDevice', () => {
  it.each([
    { ...nullDevice, deviceMinor: 5 },
    { ...nullDevice, deviceMajor: 8 },
    { ...nullDevice, mode: 0o06_0666 },
  ])('requireNullDevice refuses %j', (status) => {
    const sys = createRecordingSyscall();
    sys.statx = () => status;
    expect(() => {
      requireNullDevice(sys, 9);
    }).toThrow(/null device/);
  });
});
