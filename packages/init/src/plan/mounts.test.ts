import { describe, expect, it } from 'vitest';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import { planCgroup } from '../cgroup/plan-cgroup.ts';
import type { PlannedMount } from '../config/init-config.ts';
import type { OciMount } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { withoutOwnCgroup } from './cgroup-mounts.ts';
import { MS_PRIVATE, MS_SLAVE } from './mount-options.ts';
import { planMounts } from './mounts.ts';

const v2: Hierarchy = {
  version: 2,
  controllers: '',
  mountpoint: '/sys/fs/cgroup',
  root: '/',
  ownPath: '/',
};
const v1 = (controllers: string, directory = controllers): Hierarchy => ({
  version: 1,
  controllers,
  mountpoint: `/sys/fs/cgroup/${directory}`,
  root: '/',
  ownPath: '/own',
});

const idMap = [{ containerID: 0, hostID: 1, size: 1 }];

function plan(
  mounts: OciMount[],
  {
    hierarchies = [v2],
    cgroupNamespace = true,
  }: { hierarchies?: Hierarchy[]; cgroupNamespace?: boolean } = {},
): PlannedMount[] {
  const spec = { ...stockSpec(), mounts };
  const cgroup = planCgroup(spec, 'demo', hierarchies);
  return planMounts(spec, { bundle: '/bundle', hierarchies, cgroup, cgroupNamespace });
}

describe('planMounts', () => {
  it('planMounts turns a file system and its options into calls of the mount API', () => {
    expect(
      plan([
        {
          destination: 'dev/./shm/',
          type: 'ramfs',
          source: 'shm',
          options: ['nosuid', 'ro', 'sync', 'mode=1777', 'rslave', 'newinstance'],
        },
      ]),
    ).toEqual([
      {
        kind: 'filesystem',
        index: 0,
        destination: '/dev/shm',
        fstype: 'ramfs',
        source: 'shm',
        attributes: 0x3,
        superblockFlags: ['ro', 'sync'],
        parameters: [
          ['mode', '1777'],
          ['newinstance', null],
        ],
        propagation: [{ propagation: MS_SLAVE, recursive: true }],
      },
    ]);
  });

  it('planMounts seals a read-only tmpfs and /dev only when they are filled, and others at once', () => {
    const planned = plan([
      { destination: '/run', type: 'tmpfs', options: ['ro', 'nosuid'] },
      { destination: '/dev', type: 'devtmpfs', options: ['ro'] },
      { destination: '/sys', type: 'sysfs', options: ['ro'] },
    ]);
    expect(
      planned.map((mount) => [
        mount.kind,
        mount.destination,
        'attributes' in mount && mount.attributes,
      ]),
    ).toEqual([
      ['filesystem', '/run', 0x2],
      ['seal', '/run', false],
      ['filesystem', '/dev', 0],
      ['seal', '/dev', false],
      ['filesystem', '/sys', 0x1],
    ]);
    expect(planned[0]).toMatchObject({ superblockFlags: [] });
  });

  it('planMounts finds the source of a bind from the bundle', () => {
    const [relative, absolute] = plan([
      { destination: '/a', source: 'data', options: ['bind', 'ro', 'private'] },
      { destination: '/b', type: 'bind', source: '/srv', options: ['rbind', 'rro'] },
    ]);
    expect(relative).toMatchObject({
      kind: 'bind',
      source: '/bundle/data',
      recursive: false,
      attributes: { set: 1, clear: 0 },
      recursiveAttributes: { set: 0, clear: 0 },
      propagation: [{ propagation: MS_PRIVATE, recursive: false }],
    });
    expect(absolute).toMatchObject({
      kind: 'bind',
      index: 1,
      source: '/srv',
      recursive: true,
      attributes: { set: 0, clear: 0 },
      recursiveAttributes: { set: 1, clear: 0 },
    });
  });

  it.each<[mount: OciMount, field: string]>([
    [{ destination: '/', type: 'tmpfs' }, 'destination'],
    [{ destination: '/a/..', type: 'tmpfs' }, 'destination'],
    [{ destination: '/../..', type: 'tmpfs' }, 'destination'],
    [{ destination: '/a' }, 'type'],
    [{ destination: '/a', type: '' }, 'type'],
    [{ destination: '/a', type: 'bind' }, 'source'],
    [{ destination: '/a', source: '', options: ['rbind'] }, 'source'],
    [{ destination: '/a', source: '/b', options: ['bind', 'mode=755'] }, 'options'],
    [{ destination: '/a', source: '/b', options: ['bind', 'sync'] }, 'options'],
    [{ destination: '/a', type: 'none' }, 'type'],
    [{ destination: '/proc', type: 'tmpfs' }, 'destination'],
    [{ destination: '/proc/', type: 'sysfs' }, 'destination'],
    [{ destination: '/proc/self/attr', type: 'tmpfs' }, 'destination'],
    [{ destination: '/x/../proc/sys', source: '/b', options: ['bind'] }, 'destination'],
    [{ destination: '/a', type: 'proc', options: ['tmpcopyup'] }, 'options'],
    [{ destination: '/a', source: '/b', options: ['bind', 'tmpcopyup'] }, 'options'],
    [{ destination: '/a', type: 'tmpfs', options: ['idmap'] }, 'options'],
    [{ destination: '/a', type: 'tmpfs', uidMappings: idMap, gidMappings: idMap }, 'options'],
    [{ destination: '/a', options: ['remount', 'size=1'] }, 'options'],
  ])('planMounts refuses %j and names its %s', (mount, field) => {
    const attempt = (): unknown => plan([{ destination: '/ok', type: 'proc' }, mount]);
    expect(attempt).toThrow(InvalidConfigError);
    expect(attempt).toThrow(new RegExp(`mounts\\[1\\]\\.${field}: `));
  });

  it('planMounts never leaves the root, however many levels up a destination goes', () => {
    expect(plan([{ destination: '/../../etc', type: 'tmpfs' }])[0]?.destination).toBe('/etc');
    expect(plan([{ destination: '../x', type: 'tmpfs' }])[0]?.destination).toBe('/x');
  });

  it('planMounts says what the child must look at while it mounts', () => {
    expect(
      plan([
        { destination: '/proc', type: 'proc' },
        { destination: '/proc', source: '/proc', options: ['rbind'] },
        { destination: '/proc/uptime', source: '/u', options: ['bind'] },
        { destination: '/a', type: 'tmpfs', options: ['tmpcopyup'] },
        { destination: '/b', type: 'tmpfs', options: ['mode=700'] },
        { destination: '/c', options: ['remount', 'ro', 'rnosuid'] },
        {
          destination: '/d',
          source: '/s',
          options: ['bind'],
          uidMappings: idMap,
          gidMappings: idMap,
        },
      ]),
    ).toMatchObject([
      { kind: 'filesystem', noLinks: true },
      { kind: 'bind', onlyProc: true },
      { kind: 'bind', destination: '/proc/uptime' },
      { copyUp: true, inheritMode: true },
      { parameters: [['mode', '700']] },
      { kind: 'remount', attributes: { set: 1 }, recursiveAttributes: { set: 2 } },
      { idMapping: { recursive: false, uid_mappings: [{ container_id: 0, host_id: 1, size: 1 }] } },
    ]);
    const [, , uptime, , mode] = plan([
      { destination: '/proc', type: 'proc' },
      { destination: '/dev', type: 'tmpfs' },
      { destination: '/proc/uptime', source: '/u', options: ['bind'] },
      { destination: '/a', type: 'tmpfs' },
      { destination: '/b', type: 'tmpfs', options: ['mode=700'] },
    ]);
    expect(uptime).not.toHaveProperty('onlyProc');
    expect(mode).not.toHaveProperty('inheritMode');
  });

  it('planMounts mounts the unified hierarchy of a hybrid host where that is asked for', () => {
    const hierarchies = [v1('devices'), v2];
    const mount = { ...cgroup, type: 'cgroup2' };
    expect(plan([mount], { hierarchies })).toMatchObject([{ fstype: 'cgroup2', attributes: 0x3 }]);
    expect(plan([mount], { hierarchies, cgroupNamespace: false })).toMatchObject([
      { kind: 'bind', source: '/sys/fs/cgroup/demo' },
    ]);
  });

  it('withoutOwnCgroup shows the launcher’s cgroups where a rootless launch has none', () => {
    const mounts = plan([cgroup, { destination: '/a', source: '/b', options: ['bind'] }], {
      hierarchies: [v1('devices')],
      cgroupNamespace: false,
    });
    const sources = (all: typeof mounts): unknown[] =>
      all.flatMap((mount) => (mount.kind === 'bind' ? [mount.source] : []));
    const [own, bound] = sources(mounts);
    expect([own, bound]).toEqual(['/sys/fs/cgroup/devices/own/demo', '/b']);
    expect(sources(withoutOwnCgroup(mounts))).toEqual(['/sys/fs/cgroup/devices/own', '/b']);
  });

  it('planMounts never shows the host’s whole hierarchy to a container without a cgroup', () => {
    const spec = { ...stockSpec(), mounts: [cgroup], linux: { namespaces: [] } };
    const context = { bundle: '/bundle', cgroup: undefined, cgroupNamespace: false };
    expect(planMounts(spec, { ...context, hierarchies: [v1('devices')] })[1]).toMatchObject({
      kind: 'bind',
      source: '/sys/fs/cgroup/devices/own',
    });
    expect(() => planMounts(spec, { ...context, hierarchies: [] })).toThrow(InvalidConfigError);
    const elsewhere = { ...v2, root: '/part', ownPath: '/part/own' };
    expect(planMounts(spec, { ...context, hierarchies: [elsewhere] })).toMatchObject([
      { kind: 'bind', source: '/sys/fs/cgroup/own' },
    ]);
  });

  const cgroup: OciMount = {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'ro'],
  };

  it('planMounts mounts the one hierarchy of a v2 host, and leaves its super block alone', () => {
    expect(plan([cgroup])).toEqual([
      {
        kind: 'filesystem',
        index: 0,
        destination: '/sys/fs/cgroup',
        fstype: 'cgroup2',
        source: 'cgroup',
        attributes: 0x3,
        superblockFlags: [],
        parameters: [],
        propagation: [],
      },
    ]);
  });

  it('planMounts makes a directory for each v1 hierarchy, links for joint ones, and seals it', () => {
    const hierarchies = [v1('cpu,cpuacct'), v1('devices'), v1('name=systemd', 'systemd'), v2];
    const planned = plan([cgroup], { hierarchies });
    expect(planned.map((mount) => [mount.kind, mount.destination])).toEqual([
      ['filesystem', '/sys/fs/cgroup'],
      ['filesystem', '/sys/fs/cgroup/cpu,cpuacct'],
      ['filesystem', '/sys/fs/cgroup/devices'],
      ['filesystem', '/sys/fs/cgroup/systemd'],
      ['symlink', '/sys/fs/cgroup/cpu'],
      ['symlink', '/sys/fs/cgroup/cpuacct'],
      ['seal', '/sys/fs/cgroup'],
    ]);
    // Writable until it is filled.
    expect(planned[0]).toMatchObject({ attributes: 0x2, superblockFlags: [] });
    expect(planned[1]).toMatchObject({
      fstype: 'cgroup',
      attributes: 0x3,
      parameters: [
        ['cpu', null],
        ['cpuacct', null],
      ],
    });
    expect(planned[3]).toMatchObject({ parameters: [['name', 'systemd']] });
  });

  it('planMounts shows the own cgroup by binds where there is no cgroup namespace', () => {
    const options = { hierarchies: [v1('devices')], cgroupNamespace: false };
    expect(plan([cgroup], options)[1]).toMatchObject({
      kind: 'bind',
      source: '/sys/fs/cgroup/devices/own/demo',
      destination: '/sys/fs/cgroup/devices',
      attributes: { set: 0x3, clear: 0 },
    });
    expect(plan([cgroup], { cgroupNamespace: false })[0]).toMatchObject({
      kind: 'bind',
      source: '/sys/fs/cgroup/demo',
    });
  });
});
