import { describe, expect, it } from 'vitest';
import type { OciDevice } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { defaultDevices, planDevices } from './devices.ts';

const fuse: OciDevice = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 };
const own = (devices: OciDevice[]): unknown[] =>
  planDevices(devices).filter((device) => !defaultDevices.includes(device));

describe('planDevices', () => {
  it('planDevices gives the default devices first', () => {
    expect(planDevices([])).toEqual(defaultDevices);
    expect(planDevices([fuse]).slice(0, -1)).toEqual(defaultDevices);
  });

  it.each<[device: OciDevice, planned: Record<string, unknown>]>([
    [fuse, { path: '/dev/fuse', type: 0o20000, major: 10, minor: 229, mode: 0o666, uid: 0 }],
    [{ ...fuse, type: 'u' }, { type: 0o20000 }],
    [
      { ...fuse, type: 'b', fileMode: 0o60_640, uid: 5, gid: 6 },
      { type: 0o60000, mode: 0o640 },
    ],
    [
      { path: '/run/a//b/../fifo/', type: 'p', major: 9 },
      { path: '/run/a/fifo', major: 0 },
    ],
  ])('planDevices plans %j', (device, planned) => {
    const devices = own([device]);
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject(planned);
  });

  it('planDevices lets a device of the configuration replace the default one of its path', () => {
    const devices = planDevices([{ path: '/dev/null', type: 'c', major: 1, minor: 3, gid: 7 }]);
    expect(devices.filter(({ path }) => path === '/dev/null')).toMatchObject([{ gid: 7 }]);
    expect(devices).toHaveLength(defaultDevices.length);
  });

  it('planDevices leaves /dev/ptmx to the container’s own devpts', () => {
    expect(own([{ path: '/dev/ptmx', type: 'c', major: 5, minor: 2 }])).toEqual([]);
  });

  it('planDevices takes the same device twice, and refuses two for one path', () => {
    expect(own([fuse, { ...fuse, path: '/dev/./fuse' }])).toHaveLength(1);
    expect(() => planDevices([fuse, { ...fuse, minor: 1 }])).toThrow(InvalidConfigError);
    expect(() => planDevices([fuse, { ...fuse, minor: 1 }])).toThrow(/linux\.devices\[1\]\.path/);
    expect(() => planDevices([{ ...fuse, path: '/dev/..' }])).toThrow(/root itself/);
  });
});
