import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { setExecLabels, withKeyLabel } from '../child/security-labels.ts';
import { StepFailure } from '../child/step-failure.ts';
import type { PlannedMount } from '../config/init-config.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import type { HostSecurity } from './host-security.ts';
import { labelMounts, planLabels } from './plan-labels.ts';

const profile = 'docker-default';
const label = 'system_u:system_r:container_t:s0:c1,c2';
const host = (appArmor: boolean, selinux: boolean): HostSecurity => ({
  appArmor: () => appArmor,
  selinux: () => selinux,
});
type Fields = { apparmorProfile?: string; selinuxLabel?: string; mountLabel?: string };
function specWith({ mountLabel, ...process }: Fields): OciSpec {
  const spec = stockSpec();
  Object.assign(spec.process, process);
  if (mountLabel !== undefined) spec.linux!.mountLabel = mountLabel;
  return spec;
}

describe('planLabels', () => {
  it.each<[field: string, fields: Fields, module: string]>([
    ['process.apparmorProfile', { apparmorProfile: profile }, 'AppArmor'],
    ['process.selinuxLabel', { selinuxLabel: label }, 'SELinux'],
    ['linux.mountLabel', { mountLabel: label }, 'SELinux'],
  ])('planLabels refuses %s on a host without its module', (field, fields, module) => {
    const attempt = (): unknown =>
      planLaunch({
        id: 'demo',
        spec: specWith(fields),
        bundle: '/',
        hierarchies: [],
        security: host(false, false),
      });
    expect(attempt).toThrow(UnsupportedConfigError);
    expect(attempt).toThrow(expect.objectContaining({ field }));
    expect(attempt).toThrow(`this kernel does not run ${module}`);
    expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining('lsm=') }));
  });

  it('planLabels does not look at the host where nothing is asked for, empty texts included', () => {
    const unasked = (): never => {
      throw new Error('asked');
    };
    const spec = specWith({ apparmorProfile: '', selinuxLabel: '', mountLabel: '' });
    expect(planLabels(spec, { appArmor: unasked, selinux: unasked })).toBeUndefined();
  });

  it('planLabels hands on what the host can honour', () => {
    expect(planLabels(specWith({ apparmorProfile: profile }), host(true, false))).toEqual({
      apparmor: profile,
      selinux: undefined,
    });
    expect(planLabels(specWith({ selinuxLabel: label }), host(false, true))?.selinux).toBe(label);
    expect(() =>
      planLabels(specWith({ apparmorProfile: profile, selinuxLabel: label }), host(true, true)),
    ).toThrow(InvalidConfigError);
  });
});

describe('labelMounts', () => {
  const mount = (fstype: string, parameters: [string, string | null][] = []): PlannedMount => ({
    kind: 'filesystem',
    index: 0,
    destination: '/x',
    fstype,
    source: fstype,
    attributes: 0,
    superblockFlags: [],
    parameters,
    propagation: [],
  });

  it('labelMounts gives the context to file systems that take one', () => {
    const mounts = ['tmpfs', 'devpts', 'ext4', 'proc', 'sysfs', 'mqueue', 'cgroup2'].map((type) =>
      mount(type),
    );
    const labelled = labelMounts(mounts, label)
      .filter((each) => each.kind === 'filesystem' && each.parameters.length > 0)
      .map((each) => each.kind === 'filesystem' && [each.fstype, each.parameters[0]]);
    expect(labelled).toEqual(['tmpfs', 'devpts', 'ext4'].map((type) => [type, ['context', label]]));
  });

  it('labelMounts keeps a context that the mount has itself, and changes nothing without a label', () => {
    const own = [mount('tmpfs', [['rootcontext', 'x']])];
    expect(labelMounts(own, label)).toEqual(own);
    expect(labelMounts(own, '')).toBe(own);
  });
});

const writesOf = (sys: RecordingSyscall): [path: string, text: string][] =>
  sys.calls
    .filter(({ name }) => name === 'writeAll')
    .map(({ args }) => [String(args[2]), new TextDecoder().decode(args[1] as Uint8Array)]);

describe('setExecLabels', () => {
  it('setExecLabels writes an AppArmor profile to the file of that module', () => {
    const sys = createRecordingSyscall();
    setExecLabels(sys, { apparmor: profile, selinux: undefined });
    expect(writesOf(sys)).toEqual([['/proc/thread-self/attr/apparmor/exec', `exec ${profile}`]]);
  });

  it('setExecLabels writes to the common file on kernels that have no other', () => {
    const sys = createRecordingSyscall();
    const openat2 = sys.openat2.bind(sys);
    sys.openat2 = (dirfd, path, flags, resolve) => {
      if (path === 'attr/apparmor/exec') throw syscallError(2, 'openat2', path);
      return openat2(dirfd, path, flags, resolve);
    };
    setExecLabels(sys, { apparmor: profile, selinux: undefined });
    expect(writesOf(sys)).toEqual([['/proc/thread-self/attr/exec', `exec ${profile}`]]);
  });

  it('setExecLabels says what is to be done about a profile that is not loaded', () => {
    const sys = createRecordingSyscall();
    sys.writeAll = (_, __, path) => {
      throw syscallError(2, 'write', path);
    };
    const attempt = (): void => setExecLabels(sys, { apparmor: profile, selinux: undefined });
    expect(attempt).toThrow(StepFailure);
    expect(attempt).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('apparmor_parser') }),
    );
  });

  it('setExecLabels makes no call without labels', () => {
    const sys = createRecordingSyscall();
    setExecLabels(sys, undefined);
    expect(sys.calls).toEqual([]);
  });
});

describe('withKeyLabel', () => {
  it('withKeyLabel labels the keyring that is joined, and only that', () => {
    const sys = createRecordingSyscall();
    withKeyLabel(sys, { apparmor: undefined, selinux: label }, () => sys.joinSessionKeyring('x'));
    expect(writesOf(sys)).toEqual([
      ['/proc/thread-self/attr/keycreate', label],
      ['/proc/thread-self/attr/keycreate', '\n'],
    ]);
    const order = sys.calls.map(({ name }) => name).filter((name) => /join|write/.test(name));
    expect(order).toEqual(['writeAll', 'joinSessionKeyring', 'writeAll']);
  });
});
