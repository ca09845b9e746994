import { describe, expect, it } from 'vitest';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciNamespaceType } from '../config/spec/namespaces.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planNamespaces } from './namespaces.ts';

function specWith(...types: OciNamespaceType[]): OciSpec {
  const spec = stockSpec();
  delete spec.hostname;
  return { ...spec, linux: { namespaces: types.map((type) => ({ type })) } };
}

describe('planNamespaces', () => {
  it('planNamespaces makes every namespace of the stock specification at once but the cgroup one', () => {
    expect(planNamespaces(stockSpec())).toEqual({
      // NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET of clone(2)
      cloneFlags: 0x20000 + 0x4000000 + 0x8000000 + 0x20000000 + 0x40000000,
      joins: [],
      user: undefined,
      cgroup: true,
      network: true,
      ipc: false,
      time: false,
    });
  });

  it('planNamespaces leaves out what is not named', () => {
    expect(planNamespaces(specWith('mount'))).toEqual({
      cloneFlags: 0x20000,
      joins: [],
      user: undefined,
      cgroup: false,
      network: false,
      ipc: false,
      time: false,
    });
  });

  it('planNamespaces joins what has a path, and makes only the rest', () => {
    const spec = specWith('mount', 'cgroup', 'time');
    spec.linux!.namespaces!.push(
      { type: 'network', path: '/run/netns/a' },
      { type: 'user', path: '/proc/7/ns/user' },
    );
    expect(planNamespaces(spec)).toEqual({
      cloneFlags: 0x20000,
      joins: [
        { type: 'network', path: '/run/netns/a', flag: 0x40000000, index: 3 },
        { type: 'user', path: '/proc/7/ns/user', flag: 0x10000000, index: 4 },
      ],
      user: 'joined',
      cgroup: true,
      network: false,
      ipc: false,
      time: true,
    });
  });

  it('planNamespaces leaves the ipc namespace to the root of a new user namespace', () => {
    // NEWNS and NEWUSER
    expect(planNamespaces(specWith('mount', 'ipc', 'user'))).toMatchObject({
      cloneFlags: 0x20000 + 0x10000000,
      ipc: true,
    });
  });

  it('planNamespaces refuses a type that is named twice', () => {
    expect(() => planNamespaces(specWith('mount', 'pid', 'pid'))).toThrow(
      /linux\.namespaces\[2\].*pid.*twice/,
    );
  });

  it.each<OciNamespaceType[][]>([[[]], [['pid', 'network']]])(
    'planNamespaces refuses to work on the mounts of the host: %j',
    (types) => {
      expect(() => planNamespaces(specWith(...types))).toThrow(InvalidConfigError);
    },
  );

  it.each(['hostname', 'domainname'] as const)(
    'planNamespaces refuses a %s without a uts namespace',
    (field) => {
      const attempt = (): unknown => planNamespaces({ ...specWith('mount'), [field]: 'name' });
      expect(attempt).toThrow(InvalidConfigError);
      expect(attempt).toThrow(new RegExp(`^${field}: `));
    },
  );
});
