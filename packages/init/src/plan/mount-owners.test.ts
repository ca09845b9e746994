import { describe, expect, it } from 'vitest';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planLaunch, type LaunchPlan } from './plan-launch.ts';

function plan(size: number, change: (spec: OciSpec) => void = () => {}): LaunchPlan {
  const spec = stockSpec();
  spec.linux!.namespaces!.push({ type: 'user' });
  const mappings = [{ containerID: 0, hostID: 1000, size }];
  Object.assign(spec.linux!, { uidMappings: mappings, gidMappings: mappings });
  change(spec);
  const launcher = { uid: 1000, gid: 1000 };
  const v2 = { controllers: '', mountpoint: '/sys/fs/cgroup', root: '/', ownPath: '/' };
  return planLaunch({
    id: 'x',
    spec,
    bundle: '/',
    hierarchies: [{ version: 2, ...v2 }],
    launcher,
  });
}

describe('requireMappedOwners', () => {
  it('requireMappedOwners refuses the gid=5 of the stock specification where only root is mapped', () => {
    expect(() => plan(1)).toThrow(InvalidConfigError);
    expect(() => plan(1)).toThrow(
      'mounts[2].options: "gid=5" names an id that linux.gidMappings does not map',
    );
    expect(() => plan(5)).toThrow(/gid=5/);
    expect(plan(6).idMaps?.writtenBy).toBe('helpers');
  });

  it('requireMappedOwners refuses the owner of a tmpfs, and leaves to others what is theirs', () => {
    const tmpfs = (type: string, options: string[]) => (spec: OciSpec) =>
      void (spec.mounts = [{ destination: '/a', type, source: 'x', options }]);
    expect(() => plan(1, tmpfs('tmpfs', ['uid=1']))).toThrow(/mounts\[0\]\.options: "uid=1"/);
    expect(() => plan(1, tmpfs('tmpfs', ['uid=0', 'gid=0']))).not.toThrow();
    expect(() => plan(1, tmpfs('tmpfs', ['uid=root']))).not.toThrow();
    expect(() => plan(1, tmpfs('fuse', ['uid=1']))).not.toThrow();
  });
});
