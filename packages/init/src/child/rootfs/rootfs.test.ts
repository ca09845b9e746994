import { encodePacket } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import type { InitConfig, PlannedMount, PlannedRootfs } from '../../config/init-config.ts';
import { MS_PRIVATE, MS_SHARED, MS_SLAVE } from '../../plan/mount-options.ts';
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { StepFailure } from '../step-failure.ts';
import { makeDevices } from './make-devices.ts';
import { makeMounts, sealMounts } from './make-mounts.ts';
import { enterRoot } from './pivot-root.ts';
import { prepareRoot } from './prepare-root.ts';

const slave: PlannedRootfs = {
  path: '/bundle/rootfs',
  readonly: true,
  readonlyBelow: false,
  propagation: MS_SLAVE,
  propagationRecursive: true,
};
const shared: PlannedRootfs = { ...slave, propagation: MS_SHARED, propagationRecursive: false };
const change = { set: 1, clear: 2 };
const maps = [{ container_id: 0, host_id: 1, size: 1 }];

/** What the other tests of the whole child do not have. */
const mounts: PlannedMount[] = [
  {
    kind: 'filesystem',
    index: 0,
    destination: '/copied',
    fstype: 'tmpfs',
    source: 'tmpfs',
    attributes: 0,
    superblockFlags: [],
    parameters: [],
    propagation: [{ propagation: MS_PRIVATE, recursive: false }],
    inheritMode: true,
    copyUp: true,
  },
  { kind: 'seal', index: 0, destination: '/copied' },
  {
    kind: 'bind',
    index: 1,
    destination: '/mapped',
    source: '/srv',
    recursive: true,
    attributes: { set: 1, clear: 0 },
    recursiveAttributes: { set: 2, clear: 0 },
    propagation: [],
    idMapping: { recursive: false, userns_path: '', uid_mappings: maps, gid_mappings: maps },
  },
  { kind: 'symlink', index: 1, destination: '/mapped/link', target: 'x' },
  {
    kind: 'remount',
    index: 2,
    destination: '/mapped',
    attributes: { ...change, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: [{ propagation: MS_PRIVATE, recursive: true }],
  },
];

/** A directory with one of each kind of file, in which every directory but the first is empty. */
function withTree(failAt = -1): RecordingSyscall {
  const packets = [encodePacket({ type: 'procMountFd', flags: 1, arg: '{"type":"open_tree"}' })];
  const sys = createRecordingSyscall({ failAt, packets });
  const types = new Map([
    ['directory', S_IFDIR | 0o2755],
    ['link', S_IFLNK | 0o777],
    ['file', S_IFREG | 0o4755],
    ['fifo', S_IFIFO | 0o600],
  ]);
  const opened = new Map<number, string>();
  const plain = { ...sys };
  sys.openat2 = (...args) => {
    const fd = plain.openat2(...args);
    opened.set(fd, args[1]);
    return fd;
  };
  sys.statx = (...args) => {
    const status = plain.statx(...args);
    return { ...status, mode: types.get(opened.get(args[0]) ?? '') ?? status.mode };
  };
  let first = true;
  sys.readDirectory = (...args) => {
    plain.readDirectory(...args);
    const names = first ? [...types.keys()] : [];
    first = false;
    return names;
  };
  sys.ownerOf = (...args) => ({ ...plain.ownerOf(...args), uid: 5 });
  sys.receiveFile = (socket) => ({ ...plain.receiveFile(socket), name: '/srv' });
  return sys;
}

function runAll(sys: RecordingSyscall, rootfs: PlannedRootfs): void {
  const root = prepareRoot(sys, { sync: 9 }, rootfs);
  const unsealed = makeMounts(sys, { root, fds: { sync: 5 }, rootfs }, mounts);
  const devices = [{ path: '/dev/x', type: S_IFIFO, major: 0, minor: 0, mode: 0, uid: 1, gid: 1 }];
  makeDevices(sys, root, { devices, devLinks: [['ptmx', 'pts/ptmx']] } as unknown as InitConfig);
  enterRoot(sys, root, rootfs);
  sealMounts(sys, unsealed);
}
/** Throws what stopped it, without the sentence about what was attempted. */
function attempt(sys: RecordingSyscall, rootfs: PlannedRootfs): void {
  try {
    runAll(sys, rootfs);
  } catch (error) {
    throw error instanceof StepFailure ? error.cause : error;
  }
}
const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);

describe.each([
  ['a root that is cut off', slave],
  ['a shared root', shared],
  ['a root that is moved', { ...slave, noPivot: true as const }],
])('with %s', (_, rootfs) => {
  const complete = withTree();
  runAll(complete, rootfs);

  it('makeMounts and its neighbours close what they open', () => {
    const opening = /^(openat2|openTree|fsopen|fsmount|createFile|receiveFile)$/;
    const names = namesOf(complete);
    const opened = names.filter((name) => opening.test(name));
    expect(names.filter((name) => name === 'close')).toHaveLength(opened.length);
  });

  it.each(namesOf(complete).map((name, failAt) => [failAt, name] as const))(
    'makeMounts and its neighbours report a failure of call %i, %s',
    (failAt, name) => {
      const sys = withTree(failAt);
      // A node that cannot be made is bound from the host, which has no such device.
      const expected = name === 'mknodat' ? /EPERM|another device/ : /^\S+ .*EPERM/;
      expect(() => attempt(sys, rootfs)).toThrow(expected);
    },
  );
});

describe('prepareRoot', () => {
  it('prepareRoot makes the mount private that a shared root lies on, however deep', () => {
    const sys = createRecordingSyscall();
    let depth = 3;
    sys.isMountRoot = () => depth-- === 0;
    prepareRoot(sys, { sync: 9 }, shared);
    const opened = sys.calls.filter(({ name }) => name === 'openat2').map(({ args }) => args[1]);
    expect(opened).toEqual(['/bundle/rootfs', '..', '..', '..']);
    const changes = sys.calls.filter(({ name }) => name === 'mountSetattr');
    expect(changes.map(({ args }) => (args[3] as { propagation: number }).propagation)).toEqual([
      MS_SHARED,
      MS_PRIVATE,
    ]);
    // Before the root is cloned: the clone must not be a peer of the host's.
    const names = namesOf(sys);
    expect(names.lastIndexOf('mountSetattr')).toBeLessThan(names.indexOf('openTree'));
  });
});

describe('enterRoot', () => {
  it('enterRoot takes the old root off only when the host cannot lose it', () => {
    const sys = createRecordingSyscall();
    enterRoot(sys, 10, shared);
    const names = namesOf(sys);
    expect(names.indexOf('mountSetattr')).toBeGreaterThan(names.indexOf('pivotRoot'));
    expect(names.indexOf('mountSetattr')).toBeLessThan(names.indexOf('umount2'));
  });
});
