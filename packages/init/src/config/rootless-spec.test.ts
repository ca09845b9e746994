import { describe, expect, it } from 'vitest';
import { planLaunch } from '../plan/plan-launch.ts';
import { hostRootSpec } from './host-root-spec.ts';
import type { OciSpec } from './oci-spec.ts';
import { rootlessSpec } from './rootless-spec.ts';
import { stockSpec } from './stock-spec.ts';

const own = { uid: 1000, gid: 1001 };
const typesOf = (spec: OciSpec): string[] => (spec.linux?.namespaces ?? []).map(({ type }) => type);
const mountAt = (spec: OciSpec, place: string) =>
  spec.mounts!.find(({ destination }) => destination === place);

describe('rootlessSpec', () => {
  it('rootlessSpec adds a user namespace with the own ids and drops the network and the limits', () => {
    const { linux } = rootlessSpec(stockSpec(), own);
    expect(linux).toMatchObject({
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1001, size: 1 }],
    });
    expect(linux).not.toHaveProperty('resources');
    expect(linux!.namespaces!.map(({ type }) => type)).toEqual([
      'pid',
      'ipc',
      'uts',
      'mount',
      'cgroup',
      'user',
    ]);
  });

  it('rootlessSpec takes the ids of this process where none are given', () => {
    const { linux } = rootlessSpec(stockSpec());
    expect(linux!.uidMappings![0]!.hostID).toBe(process.geteuid!());
    expect(linux!.gidMappings![0]!.hostID).toBe(process.getegid!());
  });

  it('rootlessSpec binds the /sys of the host and asks for no ids', () => {
    const spec = rootlessSpec(stockSpec(), own);
    expect(mountAt(spec, '/sys')).toEqual({
      destination: '/sys',
      type: 'none',
      source: '/sys',
      options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
    });
    expect(mountAt(spec, '/dev/pts')!.options).toEqual([
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
    ]);
    expect(spec.mounts!.map(({ destination }) => destination)).toEqual(
      stockSpec().mounts!.map(({ destination }) => destination),
    );
  });

  it.each(['/sys', '/sys/', '//sys', 'sys', '/sys/.'])(
    'rootlessSpec knows /sys as %s',
    (destination) => {
      const spec = stockSpec();
      spec.mounts = [{ destination, type: 'sysfs', source: 'sysfs' }];
      expect(rootlessSpec(spec, own).mounts![0]!.source).toBe('/sys');
    },
  );

  it('rootlessSpec keeps a network of its own, and its sysfs, where it is asked to', () => {
    const spec = rootlessSpec(stockSpec(), { ...own, keepNetwork: true });
    expect(typesOf(spec)).toContain('network');
    expect(mountAt(spec, '/sys')!.type).toBe('sysfs');
    const without = stockSpec();
    without.linux!.namespaces = [{ type: 'mount' }];
    expect(mountAt(rootlessSpec(without, { ...own, keepNetwork: true }), '/sys')!.type).toBe(
      'none',
    );
  });

  it('rootlessSpec replaces a user namespace and its mappings', () => {
    const spec = stockSpec();
    spec.linux!.namespaces!.unshift({ type: 'user', path: '/proc/1/ns/user' });
    spec.linux!.uidMappings = [{ containerID: 0, hostID: 0, size: 4_000_000 }];
    const { linux } = rootlessSpec(spec, own);
    expect(linux!.namespaces!.filter(({ type }) => type === 'user')).toEqual([{ type: 'user' }]);
    expect(linux!.uidMappings).toHaveLength(1);
  });

  it('rootlessSpec leaves the specification that it is given as it is', () => {
    const spec = stockSpec();
    const rootless = rootlessSpec(spec, own);
    rootless.process.args.push('changed');
    rootless.mounts![0]!.destination = '/changed';
    expect(spec).toEqual(stockSpec());
  });

  it('rootlessSpec of a specification without mounts or linux can be planned', () => {
    const { ociVersion, process, root } = hostRootSpec({ args: ['true'] });
    const spec = rootlessSpec({ ociVersion, process, root }, own);
    spec.linux!.namespaces!.push({ type: 'mount' });
    const plan = planLaunch({ id: 'x', spec, bundle: '/', hierarchies: [], launcher: own });
    expect(plan.idMaps?.writtenBy).toBe('own');
    expect(plan.cgroup).toBeUndefined();
  });

  it.each([stockSpec(), hostRootSpec({ args: ['true'], terminal: true })])(
    'rootlessSpec applied twice changes nothing more',
    (spec) => {
      const once = rootlessSpec(spec, own);
      expect(rootlessSpec(once, own)).toEqual(once);
    },
  );
});
