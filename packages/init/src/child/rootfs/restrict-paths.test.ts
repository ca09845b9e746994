import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { S_IFCHR, S_IFDIR, S_IFREG } from '../../syscall/constants.ts';
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
  it('maskPaths hides a file behind the null device and a directory behind an empty file system', () => {
    const file = withFile(S_IFREG);
    maskPaths(file, ['/proc/kcore']);
    expect(namesOf(file)).toEqual(['openat2', 'openTree', 'moveMount', 'close', 'close']);
    const directory = withFile(S_IFDIR);
    maskPaths(directory, ['/proc/acpi']);
    expect(namesOf(directory)).toContain('fsmount');
    expect(namesOf(directory)).not.toContain('openTree');
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
