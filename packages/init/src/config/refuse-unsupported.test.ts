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

const refused: [field: string, change: Change][] = [
  ['process.user.username', change('process', 'user', { uid: 0, gid: 0, username: 'nobody' })],
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
    for (const [, apply] of refused) apply(spec);
    expect(() => {
      refuseUnsupported(spec);
    }).toThrow(
      /^process\.user\.username .* \(and 1 more: linux\.resources\.aControllerOfTheFuture\)/,
    );
  });

  it.each([undefined, null, '', [], {}])('refuseUnsupported takes %j for not set', (empty) => {
    const spec = stockSpec();
    Object.assign(spec.linux!.resources!, { memory: empty });
    expect(unsupportedFields(spec)).toEqual([]);
  });

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
