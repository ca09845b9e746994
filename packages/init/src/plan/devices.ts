import { posix } from 'node:path';
import type { OciDevice } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';

export type PlannedDevice = {
  /** Normal and absolute, inside the root; never the root itself. */
  path: string;
  /** S_IFCHR, S_IFBLK or S_IFIFO. */
  type: number;
  /** 0 for a FIFO. */
  major: number;
  minor: number;
  /** Permissions. */
  mode: number;
  uid: number;
  gid: number;
  /** In `linux.devices`; a default device has none. */
  index?: number;
};

const S_IFIFO = 0o1_0000;
const S_IFCHR = 0o2_0000;
const S_IFBLK = 0o6_0000;
const permissions = 0o7777;
const defaultMode = 0o666;

const character = (path: string, major: number, minor: number): PlannedDevice => ({
  path,
  type: S_IFCHR,
  major,
  minor,
  mode: defaultMode,
  uid: 0,
  gid: 0,
});

/** The character devices that every container has, config-linux.md "Default Devices"; mode 0666, owner 0:0. */
export const defaultDevices: readonly PlannedDevice[] = [
  character('/dev/null', 1, 3),
  character('/dev/zero', 1, 5),
  character('/dev/full', 1, 7),
  character('/dev/random', 1, 8),
  character('/dev/urandom', 1, 9),
  character('/dev/tty', 5, 0),
];

/** Links in /dev: name → target; runtime-linux.md "Dev symbolic links". */
export const devLinks: readonly (readonly [name: string, target: string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/**
 * The devices of a container: the default ones, each of them replaced where the configuration
 * gives its path, then the configuration's. /dev/ptmx is always the link into the container's own
 * devpts, as under runc.
 *
 * @throws InvalidConfigError for a path given twice with different devices, or one that is none
 */
export function planDevices(configured: readonly OciDevice[]): PlannedDevice[] {
  const planned = new Map<string, PlannedDevice>();
  for (const [index, device] of configured.entries()) {
    const field = `linux.devices[${index}]`;
    const next = planDevice(device, field);
    if (next.path === '/dev/ptmx') continue;
    const earlier = planned.get(next.path);
    if (earlier !== undefined && !isSame(earlier, next)) {
      throw new InvalidConfigError(`${field}.path`, `${field}.path: ${next.path} is given twice`, {
        hint: 'Name each path once, or give the same device each time.',
      });
    }
    planned.set(next.path, { ...next, index });
  }
  return [...defaultDevices.filter(({ path }) => !planned.has(path)), ...planned.values()];
}

function planDevice(device: OciDevice, field: string): PlannedDevice {
  const path = posix.normalize(device.path).replace(/(.)\/$/, '$1');
  if (path === '/') {
    throw new InvalidConfigError(`${field}.path`, `${field}.path: must not be the root itself`, {
      hint: 'Name a file, usually one in /dev.',
    });
  }
  return {
    path,
    type: typeBits(device.type),
    major: device.type === 'p' ? 0 : (device.major ?? 0),
    minor: device.type === 'p' ? 0 : (device.minor ?? 0),
    mode: (device.fileMode ?? defaultMode) & permissions,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  };
}

function isSame(one: PlannedDevice, other: PlannedDevice): boolean {
  const parts = ({ type, major, minor, mode, uid, gid }: PlannedDevice): string =>
    [type, major, minor, mode, uid, gid].join();
  return parts(one) === parts(other);
}

function typeBits(type: OciDevice['type']): number {
  if (type === 'p') return S_IFIFO;
  return type === 'b' ? S_IFBLK : S_IFCHR;
}
