import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import type { PlannedFilesystem } from '../../config/init-config.ts';
import { S_IFDIR } from '../../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { mountFilesystem } from './mount-filesystem.ts';

const ENOENT = 2;
const EINVAL = 22;
const ELOOP = 40;

const tmpfs: PlannedFilesystem = {
  kind: 'filesystem',
  index: 0,
  destination: '/data',
  fstype: 'tmpfs',
  source: 'tmpfs',
  attributes: 0,
  superblockFlags: [],
  parameters: [],
  propagation: [],
};
const long = `/${'x'.repeat(300)}`;
const overlay: PlannedFilesystem = {
  ...tmpfs,
  fstype: 'overlay',
  // ro, nosuid, noatime, nodiratime, nosymfollow
  attributes: 0x1 | 0x2 | 0x10 | 0x80 | 0x20_0000,
  superblockFlags: ['ro', 'sync'],
  parameters: [
    ['lowerdir+', long],
    ['lowerdir+', '/b'],
  ],
  classicData: `lowerdir=${long}:/b`,
};

const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);
const valuesOf = (sys: RecordingSyscall): unknown[] =>
  sys.calls.filter(({ name }) => name === 'fsconfigString').map(({ args }) => args.slice(1));

describe('mountFilesystem', () => {
  it('mountFilesystem gives a tmpfs the mode of what it covers, but for a place it has made', () => {
    const covering = createRecordingSyscall();
    covering.statx = () => ({ mode: S_IFDIR | 0o2711, deviceMajor: 0, deviceMinor: 0 });
    mountFilesystem(covering, 10, { ...tmpfs, inheritMode: true });
    expect(valuesOf(covering)).toContainEqual(['mode', '2711']);

    const making = createRecordingSyscall();
    const openat2 = making.openat2.bind(making);
    let missing = true;
    making.openat2 = (...args) => {
      if (missing) throw syscallError(ENOENT, 'openat2', args[1]);
      return openat2(...args);
    };
    making.mkdirat = () => void (missing = false);
    mountFilesystem(making, 10, { ...tmpfs, inheritMode: true });
    expect(valuesOf(making)).toEqual([['source', 'tmpfs']]);
  });

  it('mountFilesystem gives a long path by its descriptor', () => {
    const sys = createRecordingSyscall();
    mountFilesystem(sys, 10, overlay);
    const given = sys.calls.find(({ name }) => name === 'fsconfigFd');
    expect(given?.args).toEqual([100, 'lowerdir+', 101, long]);
    expect(valuesOf(sys)).toContainEqual(['lowerdir+', '/b']);
    expect(namesOf(sys)).not.toContain('mountOnWorkingDirectory');
  });

  it('mountFilesystem falls back to mount(2), on the target’s descriptor', () => {
    const sys = createRecordingSyscall();
    sys.fsconfigFd = (_, key) => {
      throw syscallError(EINVAL, 'fsconfig', key);
    };
    mountFilesystem(sys, 10, overlay);
    const names = namesOf(sys);
    expect(names.slice(-4)).toEqual(['fchdir', 'mountOnWorkingDirectory', 'close', 'openat2']);
    const flags = 0x1 | 0x2 | 0x10 | 0x400 | 0x800 | 0x100;
    expect(sys.calls.at(-3)?.args).toEqual(['tmpfs', 'overlay', flags, overlay.classicData]);
    // Closed before: it would hold the layers.
    expect(names.filter((name) => name === 'close')).toHaveLength(2);
  });

  it('mountFilesystem says when the layers are too long even for mount(2)', () => {
    const sys = createRecordingSyscall();
    sys.fsconfigFd = (_, key) => {
      throw syscallError(EINVAL, 'fsconfig', key);
    };
    const mount = { ...overlay, classicData: 'x'.repeat(4096) };
    expect(() => mountFilesystem(sys, 10, mount)).toThrow(/E2BIG/);
  });

  it('mountFilesystem refuses a long value that is no path', () => {
    const sys = createRecordingSyscall();
    const mount: PlannedFilesystem = { ...tmpfs, parameters: [['size', long]] };
    expect(() => mountFilesystem(sys, 10, mount)).toThrow(/fsconfig size: E2BIG/);
  });

  it('mountFilesystem mounts a procfs through no link', () => {
    const sys = createRecordingSyscall();
    sys.openat2 = (_, path) => {
      throw syscallError(ELOOP, 'openat2', path);
    };
    const proc: PlannedFilesystem = {
      ...tmpfs,
      fstype: 'proc',
      destination: '/proc',
      noLinks: true,
    };
    expect(() => mountFilesystem(sys, 10, proc)).toThrow(/ELOOP/);
    expect(namesOf(sys)).not.toContain('moveMount');
  });
});
