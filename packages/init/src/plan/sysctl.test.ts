import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciNamespaceType } from '../config/spec/namespaces.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planSysctls, sysctlPath } from './sysctl.ts';

function specWith(names: string[], types?: OciNamespaceType[]): OciSpec {
  const spec = stockSpec();
  spec.linux!.sysctl = Object.fromEntries(names.map((name) => [name, '1']));
  if (types !== undefined) spec.linux!.namespaces = types.map((type) => ({ type }));
  return spec;
}

const isName = (name: string): boolean => {
  try {
    return sysctlPath(name) !== '';
  } catch (error) {
    if (error instanceof InvalidConfigError) return false;
    throw error;
  }
};

describe('sysctlPath', () => {
  it.each([
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
    ['net/ipv4/ip_forward', 'net/ipv4/ip_forward'],
    ['net.ipv4.conf.eno2/100.rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
    ['net/ipv4/conf/eno2.100/rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
    ['fs.mqueue.msg_max', 'fs/mqueue/msg_max'],
  ])('sysctlPath of %s is %s', (name, path) => {
    expect(sysctlPath(name)).toBe(path);
  });

  it('sysctlPath never leads out of /proc/sys, or gives nothing', () => {
    const part = fc.constantFrom('..', '.', '', 'net', 'ipv4', '/', 'a/b', 'x');
    fc.assert(
      fc.property(fc.array(part), fc.constantFrom('.', '/'), (parts, separator) => {
        const name = parts.join(separator);
        // A name that is refused leads nowhere.
        const components = isName(name) ? sysctlPath(name).split('/') : ['refused'];
        for (const component of components) expect(['', '.', '..']).not.toContain(component);
      }),
    );
  });
});

describe('planSysctls', () => {
  it.each([
    'kernel.msgmax',
    'kernel/shmmni',
    'kernel.sem',
    'kernel.shm_rmid_forced',
    'fs.mqueue.queues_max',
    'net.core.somaxconn',
    'kernel.domainname',
  ])('planSysctls takes %s where the namespace is the own one', (name) => {
    expect(planSysctls(specWith([name]))).toEqual([
      { name, path: name.replaceAll('.', '/'), value: '1' },
    ]);
    expect(() => planSysctls(specWith([name], ['pid', 'mount']))).toThrow(/set for the host/);
  });

  it('planSysctls takes user.* with a user namespace only', () => {
    expect(planSysctls(specWith(['user.max_user_namespaces'], ['user']))).toHaveLength(1);
    expect(() => planSysctls(specWith(['user.max_user_namespaces']))).toThrow(InvalidConfigError);
  });

  it.each([
    'kernel.pid_max',
    'kernel.core_pattern',
    'kernel.shm',
    'kernel.msgmax.x',
    'vm.swappiness',
    'fs.file-max',
    'fs.mqueue',
    'net',
    'abi.vsyscall32',
    'kernel.hostname',
  ])('planSysctls refuses %s, which is not the own one', (name) => {
    expect(() => planSysctls(specWith([name]))).toThrow(InvalidConfigError);
  });

  it.each(['', '..', 'net...core', 'net/../kernel/core_pattern', 'net/./core', '/net/x', 'net/'])(
    'planSysctls refuses the name %j',
    (name) => {
      expect(() => planSysctls(specWith([name]))).toThrow(InvalidConfigError);
    },
  );

  it('planSysctls refuses one parameter under two names', () => {
    const names = ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'];
    expect(() => planSysctls(specWith(names))).toThrow(/same parameter as net\.ipv4/);
  });

  it('planSysctls refuses a domain name beside domainname', () => {
    const spec = specWith(['kernel.domainname']);
    spec.domainname = 'example';
    expect(() => planSysctls(spec)).toThrow(/contradicts domainname/);
  });

  it('planSysctls refuses to change a joined namespace that is the host’s own', () => {
    const spec = specWith(['net.core.somaxconn']);
    spec.linux!.namespaces = [{ type: 'network', path: '/proc/self/ns/net' }];
    expect(() => planSysctls(spec)).toThrow(/set for the host/);
    expect(planSysctls(spec, () => false)).toHaveLength(1);
  });

  it('planSysctls gives errors the field of the configuration', () => {
    expect(() => planSysctls(specWith(['kernel.pid_max']))).toThrow(
      expect.objectContaining({ field: 'linux.sysctl.kernel.pid_max', hint: expect.any(String) }),
    );
  });

  it.each([{ 'net.core.x\0y': '1' }, { 'net.core.x': '1\0' }])(
    'validateSpec refuses a NUL byte in %j',
    (sysctl) => {
      const spec = stockSpec();
      spec.linux!.sysctl = sysctl;
      expect(() => validateSpec(spec)).toThrow(/linux\.sysctl\./);
    },
  );
});
