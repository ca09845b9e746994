import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { capturedState, capturedStates } from '../../test/runc-state/captured.ts';
import { isStoreError } from '../errors.ts';
import type { Int64 } from './runc-config.ts';
import { decodeRuncState, encodeRuncState } from './runc-state.ts';

const stock = capturedState('stock').text;
const parsed = JSON.parse(stock) as Record<string, unknown>;

test('the captures are there', () => {
  expect(capturedStates.map(({ name }) => name)).toEqual([
    'few-namespaces',
    'many-settings',
    'mount-options',
    'pipes',
    'stock',
  ]);
});

test.each(capturedStates)(
  'encodeRuncState reproduces what runc 1.1.5 wrote byte for byte ($name)',
  ({ text }) => {
    expect(encodeRuncState(decodeRuncState(text))).toBe(text);
  },
);

test.each(capturedStates)('decodeRuncState agrees with runc state ($name)', ({ text, printed }) => {
  const state = decodeRuncState(text);
  expect(state.id).toBe(printed.id);
  expect(state.init_process_pid).toBe(printed.pid);
  expect(state.created).toBe(printed.created);
  expect(state.config.rootfs).toBe(printed.rootfs);
  expect(state.config.version).toBe(printed.ociVersion);
  expect(state.config.labels).toContain(`bundle=${printed.bundle}`);
});

/** A number where a double holds it. */
const exact = (value: bigint): Int64 =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;

test('encodeRuncState and decodeRuncState keep every 64-bit number', () => {
  const state = decodeRuncState(stock);
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (start, hard, memory) => {
        const text = encodeRuncState({
          ...state,
          init_process_start: start,
          config: {
            ...state.config,
            networks: [{ mtu: hard }],
            cgroups: { ...state.config.cgroups, memory },
          },
        });
        expect(text).toContain(`"init_process_start":${start},`);
        const again = decodeRuncState(text);
        expect(again.init_process_start).toBe(start);
        expect(again.config.networks).toEqual([{ mtu: exact(hard) }]);
        expect(again.config.cgroups?.['memory']).toBe(exact(memory));
        expect(encodeRuncState(again)).toBe(text);
      },
    ),
  );
});

/** As runc 1.4 and newer write it: what is empty is left out at every depth, and members have been added. */
function asNewer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asNewer);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, member]) => [key, asNewer(member)] as const)
    .filter(([key, member]) => isMandatory(key) || !isEmpty(member));
  return Object.fromEntries(kept);
}

const isMandatory = (key: string): boolean =>
  ['source', 'destination', 'device', 'major', 'minor', 'permissions', 'allow'].includes(key);
const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

test('decodeRuncState reads the layout of runc 1.5, which leaves out what is empty and knows more', () => {
  const newer = asNewer(parsed) as typeof parsed & { namespace_paths: Record<string, string> };
  newer.namespace_paths['NEWTIME'] = '/proc/1/ns/time';
  const text = JSON.stringify({
    ...newer,
    intel_rdt_mon_path: '/sys/fs/resctrl/mon',
    config: {
      ...(newer['config'] as object),
      netDevices: { eth0: {} },
      memory_policy: { mode: 1 },
    },
  });
  expect(text).not.toContain(':null');
  expect(text).not.toContain('"rootless"');
  expect(text).not.toContain('"path":""');
  const state = decodeRuncState(text);
  const before = decodeRuncState(stock);
  expect(state.rootless).toBe(false);
  expect(state.intel_rdt_path).toBe('');
  expect(state.cgroup_paths).toEqual(before.cgroup_paths);
  expect(state.external_descriptors).toEqual(before.external_descriptors);
  expect(state.namespace_paths['NEWTIME']).toBe('/proc/1/ns/time');
  expect(state.config.rootfs).toBe(before.config.rootfs);
  expect(state.config.labels).toEqual(before.config.labels);
  expect(state.config.namespaces?.map(({ type }) => type)).toEqual(
    before.config.namespaces?.map(({ type }) => type),
  );
  expect(state.config['netDevices']).toEqual({ eth0: {} });
  expect(encodeRuncState(state)).toContain('"intel_rdt_mon_path":"/sys/fs/resctrl/mon"');
});

test('decodeRuncState takes a state without paths and descriptors, and encodeRuncState leaves the latter out', () => {
  const { cgroup_paths: _paths, external_descriptors: _links, ...rest } = parsed;
  const state = decodeRuncState(JSON.stringify({ ...rest, namespace_paths: null }));
  expect(state.cgroup_paths).toEqual({});
  expect(state.namespace_paths).toEqual({});
  expect(state.external_descriptors).toEqual([]);
  expect(encodeRuncState(state)).toMatch(
    /"cgroup_paths":\{\},"namespace_paths":\{\},"intel_rdt_path":""\}$/,
  );
});

test.each([
  ['no JSON', '{'],
  ['nothing', ''],
  ['an array', '[]'],
  ['a pid that is text', { init_process_pid: '12' }],
  ['a pid that is none', { init_process_pid: 2 ** 31 }],
  ['a start below zero', { init_process_start: -1 }],
  [
    'a start of more than 64 bits',
    stock.replace(/"init_process_start":\d+/, '"init_process_start":18446744073709551616'),
  ],
  ['a start with a fraction', { init_process_start: 1.5 }],
  ['no configuration', { config: null }],
  ['a relative root', { config: { ...(parsed['config'] as object), rootfs: 'rootfs' } }],
  ['labels that are no texts', { config: { ...(parsed['config'] as object), labels: [1] } }],
  ['a time that is none', { created: 'yesterday' }],
  ['paths that are no texts', { cgroup_paths: { cpu: 1 } }],
])('decodeRuncState refuses %s and names the file', (_name, change) => {
  const text = typeof change === 'string' ? change : JSON.stringify({ ...parsed, ...change });
  let failure: unknown;
  try {
    decodeRuncState(text, '/runc/ctr1/state.json');
  } catch (error) {
    failure = error;
  }
  expect(isStoreError(failure, 'ERR_STORE_BAD_RECORD')).toBe(true);
  expect(String(failure)).toContain('/runc/ctr1/state.json');
});

test('decodeRuncState refuses every truncation', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: stock.length - 1 }), (length) => {
      expect(() => decodeRuncState(stock.slice(0, length))).toThrow('read record');
    }),
  );
});
