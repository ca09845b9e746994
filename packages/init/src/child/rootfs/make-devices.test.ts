import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import type { InitConfig } from '../../config/init-config.ts';
import { devLinks, type PlannedDevice } from '../../plan/devices.ts';
import { S_IFBLK, S_IFCHR } from '../../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { makeDevices } from './make-devices.ts';

const EPERM = 1;
const EACCES = 13;
const EEXIST = 17;
const EINVAL = 22;

const zero: PlannedDevice = {
  path: '/dev/zero',
  type: S_IFCHR,
  major: 1,
  minor: 5,
  mode: 0o640,
  uid: 0,
  gid: 0,
};

const make = (
  sys: RecordingSyscall,
  devices: PlannedDevice[],
  links: InitConfig['devLinks'] = [],
): void => makeDevices(sys, 10, { devices, devLinks: links } as unknown as InitConfig);
const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);
const failing = (
  errno: number,
  name: 'mknodat' | 'symlinkat',
  times = Infinity,
): RecordingSyscall => {
  const sys = createRecordingSyscall();
  const original = sys[name].bind(sys) as (...args: unknown[]) => void;
  let left = times;
  Object.assign(sys, {
    [name](...args: unknown[]): void {
      original(...args);
      if (left-- > 0) throw syscallError(errno, name, 'it');
    },
  });
  return sys;
};

describe('makeDevices', () => {
  it('makeDevices opens each directory once, and gives a node its owner', () => {
    const sys = createRecordingSyscall();
    make(sys, [zero, { ...zero, path: '/dev/z', uid: 5 }, { ...zero, path: '/a/z' }]);
    expect(namesOf(sys)).toEqual([
      'openat2',
      'mknodat',
      'mknodat',
      'openat2',
      'chownFile',
      'close',
      'close',
      'openat2',
      'mknodat',
      'close',
    ]);
    expect(sys.calls[1]?.args).toEqual([100, 'zero', S_IFCHR | 0o640, 1, 5]);
  });

  it('makeDevices does nothing in a /dev that is not its own', () => {
    const sys = createRecordingSyscall();
    make(sys, [], devLinks);
    expect(sys.calls).toEqual([]);
  });

  it('makeDevices takes the node that is there if it is the same device', () => {
    const status = { mode: S_IFCHR | 0o600, deviceMajor: 1, deviceMinor: 5 };
    const sys = failing(EEXIST, 'mknodat');
    sys.statx = () => status;
    make(sys, [zero]);
    for (const other of [{ deviceMinor: 6 }, { deviceMajor: 2 }, { mode: S_IFBLK }]) {
      const hostile = failing(EEXIST, 'mknodat');
      hostile.statx = () => ({ ...status, ...other });
      expect(() => make(hostile, [{ ...zero, index: 4 }])).toThrow(
        'make device /dev/zero (linux.devices[4])',
      );
    }
  });

  it('makeDevices binds the host’s node where it may make none, if that is the same device', () => {
    const sys = failing(EPERM, 'mknodat');
    make(sys, [zero]);
    expect(namesOf(sys)).toEqual([
      'openat2',
      'mknodat',
      'openTree',
      'statx',
      'createFile',
      'close',
      'openat2',
      'moveMount',
      'close',
      'close',
      'close',
    ]);
    const hostile = failing(EPERM, 'mknodat');
    expect(() => make(hostile, [{ ...zero, minor: 7 }])).toThrow(/make device/);
    expect(namesOf(hostile)).not.toContain('moveMount');
    expect(() => make(failing(EACCES, 'mknodat'), [zero])).toThrow(/make device/);
  });

  it('makeDevices replaces a ptmx that leads elsewhere, and no other link', () => {
    for (const [found, replaced] of [
      ['pts/ptmx', false],
      ['/etc/shadow', true],
      [undefined, true],
    ] as const) {
      const sys = failing(EEXIST, 'symlinkat', devLinks.length);
      sys.readlinkat = (_, name) => {
        if (found === undefined) throw syscallError(EINVAL, 'readlinkat', name);
        return found;
      };
      make(sys, [zero], devLinks);
      const removed = sys.calls.filter(({ name }) => name === 'unlinkat');
      expect(removed.map(({ args }) => args[1])).toEqual(replaced ? ['ptmx'] : []);
    }
  });
});
