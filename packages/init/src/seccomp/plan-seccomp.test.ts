import { describe, expect, it } from 'vitest';
import type { OciSeccomp } from '../config/spec/seccomp.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { UnsupportedConfigError } from '../errors.ts';
import { LibraryLoadError } from '@pilotlight/scm-rights';
import { requireLibseccomp, type SeccompHost } from './host.ts';
import { planSeccomp, type SeccompPlan } from './plan-seccomp.ts';

const LOG = 2;
const SPEC_ALLOW = 4;
const NEW_LISTENER = 8;
const WAIT_KILLABLE_RECV = 32;

const host = (knownFlags = 0xff): SeccompHost => ({
  filter: (profile) => `filter of ${profile.rules.length} rules`,
  knowsFlags: (flags) => (flags & ~knownFlags) === 0,
});

function plan(
  seccomp: Partial<OciSeccomp> | null,
  on: SeccompHost = host(),
): SeccompPlan | undefined {
  const spec = stockSpec();
  spec.linux!.seccomp = seccomp && { defaultAction: 'SCMP_ACT_ALLOW', ...seccomp };
  spec.annotations = { a: 'b' };
  return planSeccomp(spec, '/bundle', on);
}

const notify: Partial<OciSeccomp> = {
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
  listenerPath: 'agent.sock',
};

describe('planSeccomp', () => {
  it('planSeccomp asks nothing of a machine without a profile', () => {
    const none: SeccompHost = {
      filter: () => expect.unreachable(),
      knowsFlags: () => expect.unreachable(),
    };
    expect(plan(null, none)).toBeUndefined();
    expect(planSeccomp(stockSpec(), '/bundle', none)).toBeUndefined();
  });

  it.each<[OciSeccomp['flags'], number]>([
    [undefined, SPEC_ALLOW],
    [null, SPEC_ALLOW],
    [[], 0],
    [['SECCOMP_FILTER_FLAG_LOG'], LOG],
    [['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'], LOG | SPEC_ALLOW],
    // Nothing to synchronise, and nobody waits.
    [['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'], 0],
  ])('planSeccomp makes of flags %j %i', (flags, expected) => {
    expect(plan({ flags })).toEqual({
      seccomp: { filter: 'filter of 0 rules', flags: expected, notify: false },
      agent: undefined,
    });
  });

  it('planSeccomp names the agent of a profile that notifies', () => {
    const flags: OciSeccomp['flags'] = [
      'SECCOMP_FILTER_FLAG_TSYNC',
      'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
    ];
    expect(plan({ ...notify, flags, listenerMetadata: 'm' })).toEqual({
      seccomp: {
        filter: 'filter of 1 rules',
        flags: NEW_LISTENER | WAIT_KILLABLE_RECV,
        notify: true,
      },
      agent: {
        path: '/bundle/agent.sock',
        metadata: 'm',
        ociVersion: stockSpec().ociVersion,
        bundle: '/bundle',
        annotations: { a: 'b' },
      },
    });
    expect(plan({ ...notify, listenerPath: '@name' })?.agent?.path).toBe('@name');
    expect(plan({ listenerPath: '/ignored' })?.agent).toBeUndefined();
  });

  it('planSeccomp refuses what the kernel does not know', () => {
    const old = host(LOG | SPEC_ALLOW | NEW_LISTENER);
    expect(() =>
      plan({ ...notify, flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] }, old),
    ).toThrow(expect.objectContaining({ field: 'linux.seccomp.flags[0]' }));
    expect(() => plan(notify, host(LOG))).toThrow(/SCMP_ACT_NOTIFY needs Linux 5\.5/);
  });
});

describe('requireLibseccomp', () => {
  it('requireLibseccomp says what to install where there is none', () => {
    const missing = (): never => {
      const cause = new Error('cannot open shared object file');
      throw new LibraryLoadError('libseccomp.so.2', 'libseccomp.so.2', cause);
    };
    expect(() => requireLibseccomp(missing)).toThrow(UnsupportedConfigError);
    expect(() => requireLibseccomp(missing)).toThrow(
      expect.objectContaining({
        field: 'linux.seccomp',
        message: expect.stringContaining('libseccomp.so.2'),
        hint: expect.stringContaining('libseccomp2 on Debian'),
      }),
    );
  });
});
