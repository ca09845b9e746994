import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import type { InitConfig } from '../config/init-config.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { becomeUser } from './credentials.ts';

const none: InitConfig['capabilities'] = {
  bounding: [],
  effective: [],
  inheritable: [],
  permitted: [],
  ambient: [],
};
const configWith = (part: Partial<InitConfig>): InitConfig =>
  ({
    user: { uid: 1, gid: 2, additionalGids: [3] },
    canSetGroups: true,
    capabilities: none,
    ...part,
  }) as InitConfig;

describe('becomeUser', () => {
  it('becomeUser gives up root only after everything that root is needed for', () => {
    const sys = createRecordingSyscall();
    becomeUser(sys, configWith({}));
    const names = sys.calls.map(({ name }) => name);
    expect(names.filter((name) => name !== 'dropBoundingCapability')).toEqual([
      'setKeepCapabilities',
      'setgroups',
      'setresgid',
      'setresuid',
      'setKeepCapabilities',
      'capset',
      'clearAmbientCapabilities',
    ]);
    expect(names.lastIndexOf('dropBoundingCapability')).toBeLessThan(names.indexOf('setgroups'));
  });

  it('becomeUser drops every capability that the kernel has and the configuration does not keep', () => {
    const sys = createRecordingSyscall();
    const dropped: number[] = [];
    sys.dropBoundingCapability = (capability) => {
      if (capability > 40) throw syscallError(22, 'prctl', 'PR_CAPBSET_DROP');
      dropped.push(capability);
    };
    becomeUser(sys, configWith({ capabilities: { ...none, bounding: [5, 10] } }));
    expect(dropped).toHaveLength(39);
    expect(dropped).not.toContain(5);
    expect(dropped).not.toContain(10);
  });

  it('becomeUser sets masks of 64 bits and raises only what is permitted and inheritable', () => {
    const sys = createRecordingSyscall();
    const capabilities = {
      ...none,
      permitted: [0, 40],
      effective: [40],
      inheritable: [0, 5],
      ambient: [0, 5, 40],
    };
    becomeUser(sys, configWith({ capabilities }));
    const argsOf = (wanted: string): unknown[] =>
      sys.calls.filter(({ name }) => name === wanted).flatMap(({ args }) => args);
    expect(argsOf('capset')).toEqual([
      { effective: 1n << 40n, permitted: (1n << 40n) | 1n, inheritable: 0b10_0001n },
    ]);
    expect(argsOf('raiseAmbientCapability')).toEqual([0]);
  });
});
