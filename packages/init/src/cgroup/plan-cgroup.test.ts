import { describe, expect, it } from 'vitest';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import type { Hierarchy } from './hierarchies.ts';
import { planCgroup } from './plan-cgroup.ts';

const v1: Hierarchy = {
  version: 1,
  controllers: 'devices',
  mountpoint: '/sys/fs/cgroup/devices',
  root: '/',
  ownPath: '/user.slice',
};
const v2: Hierarchy = {
  version: 2,
  controllers: '',
  mountpoint: '/sys/fs/cgroup',
  root: '/',
  ownPath: '/user.slice/session.scope',
};

function pathOf(hierarchy: Hierarchy, cgroupsPath?: string): string | undefined {
  const spec: OciSpec = stockSpec();
  if (cgroupsPath !== undefined) spec.linux!.cgroupsPath = cgroupsPath;
  return planCgroup(spec, 'demo', [hierarchy])?.directories[0]?.path;
}

describe('planCgroup', () => {
  it('planCgroup puts the default below the own cgroup on v1 and beside it on v2', () => {
    expect(pathOf(v1)).toBe('/sys/fs/cgroup/devices/user.slice/demo');
    expect(pathOf(v2)).toBe('/sys/fs/cgroup/user.slice/demo');
    expect(pathOf({ ...v2, ownPath: '/' })).toBe('/sys/fs/cgroup/demo');
  });

  it('planCgroup takes an absolute path from the root and a relative one from there', () => {
    expect(pathOf(v1, '/pods/a')).toBe('/sys/fs/cgroup/devices/pods/a');
    expect(pathOf(v1, 'pods/a')).toBe('/sys/fs/cgroup/devices/user.slice/pods/a');
    expect(pathOf(v2, 'pods/a')).toBe('/sys/fs/cgroup/user.slice/pods/a');
  });

  it('planCgroup counts from the part of the hierarchy that is mounted', () => {
    const part: Hierarchy = { ...v1, root: '/docker/abc', ownPath: '/docker/abc/x' };
    expect(pathOf(part)).toBe('/sys/fs/cgroup/devices/x/demo');
    expect(pathOf(part, '/docker/abc/y')).toBe('/sys/fs/cgroup/devices/y');
  });

  it('planCgroup never leaves the mount, also when the path lies outside of the part that is mounted', () => {
    const part: Hierarchy = { ...v1, root: '/docker/abc', ownPath: '/docker/abc' };
    expect(pathOf(part, '/pods/a')).toBe('/sys/fs/cgroup/devices/pods/a');
  });

  it('planCgroup refuses a path with ".."', () => {
    expect(() => pathOf(v1, '/a/../../b')).toThrow(/linux\.cgroupsPath/);
  });

  it('planCgroup plans none when nothing asks for one', () => {
    const spec: OciSpec = { ...stockSpec(), linux: { namespaces: [{ type: 'mount' }] } };
    expect(planCgroup(spec, 'demo', [v1])).toBeUndefined();
    expect(planCgroup({ ...spec, linux: { cgroupsPath: '/a' } }, 'demo', [v1])).toMatchObject({
      directories: [{ path: '/sys/fs/cgroup/devices/a' }],
      deviceRules: undefined,
    });
  });

  it('planCgroup plans one directory in each hierarchy', () => {
    const plan = planCgroup(stockSpec(), 'demo', [
      v1,
      { ...v1, controllers: 'pids', mountpoint: '/p' },
    ]);
    expect(plan?.directories.map(({ controllers, path }) => [controllers, path])).toEqual([
      ['devices', '/sys/fs/cgroup/devices/user.slice/demo'],
      ['pids', '/p/user.slice/demo'],
    ]);
  });

  it('planCgroup gives limits to the directories, and needs a cgroup for them', () => {
    const memory: Hierarchy = { ...v1, controllers: 'memory', mountpoint: '/m' };
    const spec: OciSpec = {
      ...stockSpec(),
      linux: { resources: { memory: { limit: 5 }, unified: { 'pids.max': '7' } } },
    };
    expect(
      planCgroup(spec, 'demo', [memory, v2], { controllersOf: () => ['pids'] })?.directories,
    ).toMatchObject([
      { path: '/m/user.slice/demo', enable: [], writes: [{ file: 'memory.limit_in_bytes' }] },
      { path: '/sys/fs/cgroup/user.slice/demo', enable: ['pids'], writes: [{ file: 'pids.max' }] },
    ]);
  });

  it('planCgroup reads no controllers for a configuration without limits', () => {
    const controllersOf = (): never => {
      throw new Error('asked');
    };
    expect(planCgroup(stockSpec(), 'demo', [v1, v2], { controllersOf })).toBeDefined();
  });

  it('planCgroup can do without a cgroup when nothing names its path or a limit', () => {
    const optional = (linux: OciSpec['linux']): boolean | undefined =>
      planCgroup({ ...stockSpec(), linux }, 'demo', [v1, v2], { controllersOf: () => ['pids'] })
        ?.optional;
    expect(optional(stockSpec().linux)).toBe(true);
    expect(optional({ cgroupsPath: '/a' })).toBe(false);
    expect(optional({ resources: { pids: { limit: 5 } } })).toBe(false);
  });

  it('planCgroup finds the scope of systemd in every hierarchy, and that of a user below its manager', () => {
    const spec = stockSpec();
    spec.linux!.cgroupsPath = 'a-b.slice:x:demo';
    const own = '/user.slice/user-7.slice/user@7.service/app.slice/me.scope';
    const paths = (user: boolean): string[] | undefined =>
      planCgroup(spec, 'demo', [v1, { ...v2, ownPath: own }], {
        manager: 'systemd',
        user,
      })?.directories.map(({ path }) => path);
    expect(paths(false)).toEqual([
      '/sys/fs/cgroup/devices/a.slice/a-b.slice/x-demo.scope',
      '/sys/fs/cgroup/a.slice/a-b.slice/x-demo.scope',
    ]);
    expect(paths(true)?.[1]).toBe(
      '/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/a.slice/a-b.slice/x-demo.scope',
    );
  });
});
