import { describe, expect, it } from 'vitest';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { hostRootSpec } from './host-root-spec.ts';
import { validateSpec } from './load-bundle.ts';
import type { OciSpec } from './oci-spec.ts';
import { refuseUnsupported, unsupportedFields } from './refuse-unsupported.ts';
import { stockSpec } from './stock-spec.ts';

type Change = (spec: OciSpec) => void;

const change = (field: 'process' | 'linux', name: string, value: unknown): Change => {
  return (spec) => {
    (spec[field] as Record<string, unknown>)[name] = value;
  };
};

const mapping = [{ containerID: 0, hostID: 1000, size: 1 }];

const refused: [field: string, change: Change][] = [
  ['process.apparmorProfile', change('process', 'apparmorProfile', 'docker-default')],
  ['process.selinuxLabel', change('process', 'selinuxLabel', 'system_u:system_r:t:s0')],
  ['process.scheduler', change('process', 'scheduler', { policy: 'SCHED_BATCH' })],
  [
    'process.ioPriority',
    change('process', 'ioPriority', { class: 'IOPRIO_CLASS_BE', priority: 4 }),
  ],
  ['process.execCPUAffinity', change('process', 'execCPUAffinity', { initial: '0' })],
  ...[
    'prestart',
    'createRuntime',
    'createContainer',
    'startContainer',
    'poststart',
    'poststop',
    'new',
  ].map((kind): [string, Change] => [
    `hooks.${kind}`,
    (spec) => void (spec.hooks = { [kind]: [{ path: '/bin/true' }] }),
  ]),
  ['mounts[0].uidMappings', (spec) => void (spec.mounts![0]!.uidMappings = mapping)],
  ['mounts[1].gidMappings', (spec) => void (spec.mounts![1]!.gidMappings = mapping)],
  ['linux.namespaces[6]', (spec) => void spec.linux!.namespaces!.push({ type: 'user' })],
  ['linux.namespaces[6]', (spec) => void spec.linux!.namespaces!.push({ type: 'time' })],
  [
    'linux.namespaces[0].path',
    (spec) => void (spec.linux!.namespaces![0] = { type: 'pid', path: '/proc/1/ns/pid' }),
  ],
  ['linux.rootfsPropagation', change('linux', 'rootfsPropagation', 'rshared')],
  ['linux.rootfsPropagation', change('linux', 'rootfsPropagation', 'unbindable')],
  ['linux.uidMappings', change('linux', 'uidMappings', mapping)],
  ['linux.gidMappings', change('linux', 'gidMappings', mapping)],
  [
    'linux.devices',
    change('linux', 'devices', [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }]),
  ],
  ['linux.sysctl', change('linux', 'sysctl', { 'net.ipv4.ip_forward': '1' })],
  ['linux.seccomp', change('linux', 'seccomp', { defaultAction: 'SCMP_ACT_ALLOW' })],
  ['linux.mountLabel', change('linux', 'mountLabel', 'system_u:object_r:t:s0')],
  ['linux.intelRdt', change('linux', 'intelRdt', { closID: 'x' })],
  ['linux.intelRdt', change('linux', 'intelRdt', {})],
  ['process.user.username', change('process', 'user', { uid: 0, gid: 0, username: 'nobody' })],
  ['linux.personality', change('linux', 'personality', { domain: 'LINUX32' })],
  ['linux.timeOffsets', change('linux', 'timeOffsets', { monotonic: { secs: 1 } })],
  ['linux.netDevices', change('linux', 'netDevices', { eth0: {} })],
  ['linux.memoryPolicy', change('linux', 'memoryPolicy', { mode: 'MPOL_BIND', nodes: '0' })],
  [
    'linux.resources.aControllerOfTheFuture',
    (spec) => void (spec.linux!.resources!['aControllerOfTheFuture'] = { limit: 1 }),
  ],
];

describe('refuseUnsupported', () => {
  it.each(refused)('refuseUnsupported refuses %s by name, case %#', (field, apply) => {
    const spec = stockSpec();
    apply(spec);
    // Through the real validation first: a field that it drops could never be refused.
    const validated = validateSpec(spec);
    let thrown: unknown;
    try {
      refuseUnsupported(validated);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(UnsupportedConfigError);
    expect(thrown).toMatchObject({ field, code: 'ERR_INIT_UNSUPPORTED_CONFIG', others: [] });
    expect((thrown as Error).message).toContain(`${field} is not supported: `);
    expect((thrown as UnsupportedConfigError).hint).toContain(field);
    expect(() => planLaunch({ id: 'demo', spec, bundle: '/' })).toThrow(UnsupportedConfigError);
  });

  it('refuseUnsupported names further fields', () => {
    const spec = stockSpec();
    for (const [, apply] of refused.slice(0, 9)) apply(spec);
    expect(() => {
      refuseUnsupported(spec);
    }).toThrow(/^process\.apparmorProfile .* \(and \d+ more: process\.selinuxLabel, /);
  });

  it.each([undefined, null, '', [], {}])('refuseUnsupported takes %j for not set', (empty) => {
    const spec = stockSpec();
    Object.assign(spec.linux!, { seccomp: empty, sysctl: empty, devices: empty });
    Object.assign(spec.linux!.resources!, { memory: empty });
    Object.assign(spec, { hooks: { prestart: empty } });
    expect(unsupportedFields(spec)).toEqual([]);
  });

  it.each(['private', 'rprivate', 'slave', 'rslave'])(
    'refuseUnsupported accepts rootfsPropagation %s',
    (value) => {
      const spec = stockSpec();
      spec.linux!.rootfsPropagation = value;
      expect(unsupportedFields(spec)).toEqual([]);
    },
  );

  it('refuseUnsupported accepts the specifications that this package makes', () => {
    expect(unsupportedFields(stockSpec())).toEqual([]);
    expect(unsupportedFields(hostRootSpec({ args: ['true'] }))).toEqual([]);
  });
});

describe('UnsupportedConfigError', () => {
  it('UnsupportedConfigError is not the error of an invalid configuration', () => {
    expect(new UnsupportedConfigError('a', 'b')).not.toBeInstanceOf(InvalidConfigError);
  });
});
