import { describe, expect, it } from 'vitest';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import { hostRootSpec } from '../config/host-root-spec.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { defaultDevices } from './devices.ts';
import { type LaunchPlan, planLaunch, type PlanInput } from './plan-launch.ts';

const hierarchies: Hierarchy[] = [
  { version: 2, controllers: '', mountpoint: '/sys/fs/cgroup', root: '/', ownPath: '/' },
];

function plan(
  change: (spec: OciSpec) => void = () => {},
  input: Partial<PlanInput> = {},
): LaunchPlan {
  const spec = stockSpec();
  change(spec);
  return planLaunch({ id: 'demo', spec, bundle: '/bundle', hierarchies, ...input });
}

describe('planLaunch', () => {
  it('planLaunch decides the stock specification', () => {
    const { init, ...outer } = plan();
    expect(outer).toMatchObject({ id: 'demo', terminal: true });
    expect(outer.cgroup?.directories.map(({ path }) => path)).toEqual(['/sys/fs/cgroup/demo']);
    expect(init).toMatchObject({
      keyring: '_ses.demo',
      unshareCgroup: true,
      loopbackUp: true,
      hostname: 'pilotlight',
      rootfs: { path: '/bundle/rootfs', readonly: true, readonlyBelow: false },
      console: { height: 0, width: 0 },
      umask: 0o22,
      noNewPrivileges: true,
      user: { uid: 0, gid: 0, additionalGids: [] },
    });
    expect(init.rlimits).toEqual([
      { type: 'RLIMIT_NOFILE', resource: 7, soft: '1024', hard: '1024' },
    ]);
    expect(init.devices).toEqual(defaultDevices);
  });

  it('planLaunch makes what is mounted below the root of the host as read-only as itself', () => {
    const spec = hostRootSpec({ args: ['true'] });
    expect(plan(() => {}, { spec, bundle: '/' }).init.rootfs).toMatchObject({
      path: '/',
      readonly: true,
      readonlyBelow: true,
    });
  });

  it('planLaunch gives no capability where the specification lists none', () => {
    const { capabilities } = plan((spec) => void delete spec.process.capabilities).init;
    expect(Object.values(capabilities).flat()).toEqual([]);
  });

  it('planLaunch makes no devices where /dev is bound from outside', () => {
    const { devices, devLinks } = plan((spec) => {
      spec.mounts = [{ destination: '/dev', source: '/dev', options: ['bind'] }];
    }).init;
    expect([...devices, ...devLinks]).toEqual([]);
  });

  it('planLaunch hands on the inherited limit of open files only where none is configured', () => {
    const inheritedLimits = { nofileSoft: 1024n, nofileHard: 2n ** 64n - 1n };
    const inherited = plan((spec) => void (spec.process.rlimits = []), { inheritedLimits });
    expect(inherited.init.rlimits).toEqual([
      { type: 'RLIMIT_NOFILE', resource: 7, soft: '1024', hard: '18446744073709551615' },
    ]);
    expect(plan(() => {}, { inheritedLimits }).init.rlimits).toEqual(plan().init.rlimits);
  });

  it('planLaunch gives the limit of core files back where the forking process has none', () => {
    const inheritedLimits = {
      nofileSoft: 1024n,
      nofileHard: 4096n,
      core: { soft: 7n, hard: 2n ** 64n - 1n },
    };
    const restored = { type: 'RLIMIT_CORE', resource: 4, soft: '7', hard: '18446744073709551615' };
    const bare = plan((spec) => void (spec.process.rlimits = []), { inheritedLimits });
    expect(bare.init.rlimits).toContainEqual(restored);
    const given = plan(
      (spec) => void (spec.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 1, hard: 2 }]),
      { inheritedLimits },
    );
    expect(given.init.rlimits).not.toContainEqual(restored);
  });

  it('planLaunch lets the entry process set oom_score_adj where an unprivileged child cannot', () => {
    const joining = (spec: OciSpec): void => {
      spec.process.oomScoreAdj = 7;
      spec.linux!.namespaces!.push({ type: 'user', path: '/proc/1/ns/user' });
    };
    const score = ({ entryOomScoreAdj, init }: LaunchPlan) => [entryOomScoreAdj, init.oomScoreAdj];
    const launcher = { uid: 1000, gid: 1000 };
    expect(score(plan(joining, { launcher }))).toEqual([7, undefined]);
    expect(score(plan(joining))).toEqual([undefined, 7]);
    expect(score(plan((spec) => void (spec.process.oomScoreAdj = 7), { launcher }))).toEqual([
      undefined,
      7,
    ]);
  });

  it('planLaunch refuses the clocks that an unprivileged child could not set', () => {
    const joining = (spec: OciSpec): void => {
      spec.linux!.timeOffsets = { boottime: { secs: 1 } };
      spec.linux!.namespaces!.push({ type: 'user', path: '/u' }, { type: 'time' });
    };
    const launcher = { uid: 1000, gid: 1000 };
    expect(() => plan(joining, { launcher })).toThrow(/linux\.timeOffsets is not supported/);
    expect(plan(joining).init.timeOffsets).toBe('boottime 1 0\n');
  });

  it('planLaunch refuses mapped mounts to an unprivileged launcher', () => {
    const mapped = (spec: OciSpec): void => {
      const line = [{ containerID: 0, hostID: 5, size: 1 }];
      const mount = { source: '/a', options: ['bind'], uidMappings: line, gidMappings: line };
      spec.mounts!.push({ destination: '/a', ...mount }, { destination: '/b', ...mount });
    };
    const launcher = { uid: 1000, gid: 1000 };
    expect(() => plan(mapped, { launcher })).toThrow(
      'mounts[7] is not supported: an unprivileged user cannot map the ids of a mount (and 1 more: mounts[8])',
    );
    expect(plan(mapped).init.mounts).toHaveLength(9);
  });

  it('planLaunch refuses a cgroup where no hierarchy is mounted', () => {
    expect(() => plan(() => {}, { hierarchies: [] })).toThrow(/no hierarchy is mounted/);
  });

  it.each(['', '.', '..', '../up', 'a/b', 'a b', 'a\0b', 'é', 'x'.repeat(1025)])(
    'planLaunch refuses the id %j, which would be no name of a cgroup',
    (id) => {
      expect(() => plan(() => {}, { id })).toThrow(InvalidConfigError);
    },
  );

  it('planLaunch validates a specification that was changed in code', () => {
    expect(() => plan((spec) => void spec.process.args.push('a\0b'))).toThrow(/process\.args\[1\]/);
  });

  it('planLaunch makes a config that JSON carries unchanged', () => {
    const { init } = plan((spec) => {
      spec.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 0, hard: 2n ** 64n - 1n }];
    });
    const { domainname, oomScoreAdj, ...carried } = init;
    expect([domainname, oomScoreAdj]).toEqual([undefined, undefined]);
    expect(JSON.parse(JSON.stringify(init))).toEqual(carried);
  });
});
