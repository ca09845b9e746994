import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeInitConfig, encodeInitConfig, initConfigSchemas } from './codec.ts';
import type { GoType } from './go-type.ts';
import type { InitConfig } from './init-config.ts';
import { initConfigLayouts, type InitConfigLayout } from './layouts.ts';

const layouts = Object.keys(initConfigLayouts) as InitConfigLayout[];
const code = (value: string, path: string): Error =>
  expect.objectContaining({ code: value, path }) as Error;

/** Any value of a type, its members present or not. */
function anyOf(type: GoType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 5 });
    case 'bool':
      return fc.boolean();
    case 'integer':
      return fc.bigInt({ min: type.min, max: type.max }).map((value) => exact(value));
    case 'list':
      return fc.array(anyOf(type.item), { maxLength: 2 });
    case 'map':
      return fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), anyOf(type.value), {
        maxKeys: 3,
        noNullPrototype: true,
      });
    case 'pointer':
      return anyOf(type.to);
    case 'struct':
      return fc.record(
        Object.fromEntries(type.fields.map(({ key, type: of }) => [key, anyOf(of)])),
        { requiredKeys: [] },
      );
  }
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

test.each(layouts)(
  'decodeInitConfig loses nothing of what encodeInitConfig wrote for %s',
  (layout) => {
    fc.assert(
      fc.property(anyOf(initConfigLayouts[layout]) as fc.Arbitrary<InitConfig>, (config) => {
        const text = encodeInitConfig(config, layout);
        const decoded = decodeInitConfig(text, layout);
        // Members that were absent come back as the zero values that Go wrote, the others unchanged.
        expect(decoded).toMatchObject(withoutEmpty(config) as object);
        expect(encodeInitConfig(decoded, layout)).toBe(text);
      }),
      { numRuns: 60 },
    );
  },
  60_000,
);

/** What must come back: an empty member may have been omitted. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([key, member]) => [key, withoutEmpty(member)] as const)
    .filter(([, member]) => !isEmpty(member));
  return Object.fromEntries(members);
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false;
}

// What a parent of runc 1.5.1 sends for the smallest bundle, by the rules of its structs.
const smallest15 =
  '{"config":{"rootfs":"/bundle/rootfs","mounts":[{"source":"proc","destination":"/proc","device":"proc"}],' +
  '"devices":[{"type":99,"major":1,"minor":3,"permissions":"rwm","allow":true,"path":"/dev/null","file_mode":438}],' +
  '"namespaces":[{"type":"NEWPID"},{"type":"NEWNS"}],"cgroups":{"name":"demo","pids_limit":0},' +
  '"version":"1.3.0","labels":["bundle=/bundle"]},"args":["/bin/true"],"env":["PATH=/bin"],"uid":0,"gid":0,' +
  '"additional_groups":null,"cwd":"/","create_console":false,"console_width":0,"console_height":0,' +
  '"passed_files_count":0,"apparmor_profile":"","capabilities":null,"no_new_privileges":false,' +
  '"process_label":"","rlimits":[{"type":7,"hard":18446744073709551615,"soft":1024}],"containerid":"demo","network":null}';

test('encodeInitConfig writes the layout of runc 1.5 with its order and its omissions', () => {
  const config: InitConfig = {
    args: ['/bin/true'],
    env: ['PATH=/bin'],
    cwd: '/',
    uid: 0,
    gid: 0,
    containerid: 'demo',
    rlimits: [{ type: 7, hard: 2n ** 64n - 1n, soft: 1024 }],
    config: {
      rootfs: '/bundle/rootfs',
      mounts: [{ source: 'proc', destination: '/proc', device: 'proc', flags: 0 }],
      devices: [
        {
          type: 99,
          major: 1,
          minor: 3,
          permissions: 'rwm',
          allow: true,
          path: '/dev/null',
          file_mode: 0o666,
          uid: 0,
          gid: 0,
        },
      ],
      namespaces: [{ type: 'NEWPID', path: '' }, { type: 'NEWNS' }],
      cgroups: { name: 'demo', memory: 0, pids_limit: 0 },
      mask_paths: [],
      sysctl: {},
      Hooks: {},
      version: '1.3.0',
      labels: ['bundle=/bundle'],
    },
  };
  expect(encodeInitConfig(config, 'runc-1.5')).toBe(smallest15);
  expect(encodeInitConfig(decodeInitConfig(smallest15, 'runc-1.5'), 'runc-1.5')).toBe(smallest15);
});

test('encodeInitConfig tells an absent list from an empty one, and sorts the keys of maps', () => {
  const text = encodeInitConfig(
    { args: [], config: { sysctl: { 'b.z': '1', 'b.\u{1f6a6}': '2', 'b.\uff5e': '3', a: '4' } } },
    'runc-1.1',
  );
  expect(text).toMatch(/^\{"args":\[\],"env":null,/);
  expect(text).toContain('"sysctl":{"a":"4","b.z":"1","b.\uff5e":"3","b.\u{1f6a6}":"2"}');
});

test('encodeInitConfig writes a pointer to zero and omits an empty value', () => {
  const text = encodeInitConfig({ config: { oom_score_adj: 0, rlimits: [] } }, 'runc-1.1');
  expect(text).toContain('"oom_score_adj":0');
  expect(text.match(/"rlimits"/g)).toHaveLength(1);
});

test('encodeInitConfig writes all six hooks once there is one', () => {
  const text = encodeInitConfig({ config: { Hooks: { poststop: [] } } }, 'runc-1.5');
  expect(text).toContain(
    '"Hooks":{"createContainer":null,"createRuntime":null,"poststart":null,"poststop":[],"prestart":null,"startContainer":null}',
  );
});

test.each<[string, InitConfigLayout, object, string]>([
  ['a user text where ids are numbers', 'runc-1.5', { user: '0:0' }, 'user'],
  ['ids where there is a user text', 'runc-1.1', { uid: 0 }, 'uid'],
  [
    'a member of a later mount',
    'runc-1.1',
    { config: { mounts: [{ cleared_flags: 1 }] } },
    'config.mounts.0.cleared_flags',
  ],
  [
    'a group as text where it is a number',
    'runc-1.5',
    { additional_groups: ['4'] },
    'additional_groups.0',
  ],
  ['a console beyond 16 bits', 'runc-1.1', { console_width: 65_536 }, 'console_width'],
  ['a limit below zero', 'runc-1.1', { rlimits: [{ hard: -1 }] }, 'rlimits.0.hard'],
  ['a limit beyond 64 bits', 'runc-1.1', { rlimits: [{ hard: 2n ** 64n }] }, 'rlimits.0.hard'],
  ['a limit that was rounded', 'runc-1.1', { rlimits: [{ hard: 2 ** 64 }] }, 'rlimits.0.hard'],
  ['a fraction', 'runc-1.1', { passed_files_count: 0.5 }, 'passed_files_count'],
])('encodeInitConfig refuses %s', (_what, layout, config, path) => {
  expect(() => encodeInitConfig(config, layout)).toThrow(code('ERR_SYNC_INVALID_CONFIG', path));
});

test('encodeInitConfig never shows the value of a variable', () => {
  const env = ['TOKEN=secret', 5] as unknown as string[];
  expect(() => encodeInitConfig({ env }, 'runc-1.1')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') }) as Error,
  );
});

test.each([
  ['no JSON', '{', ''],
  ['an array', '[]', ''],
  ['a number for a text', '{"cwd":5}', 'cwd'],
  ['a text for a number', '{"rlimits":[{"hard":"5"}]}', 'rlimits.0.hard'],
  [
    'a number that a double has rounded',
    '{"rlimits":[{"hard":18446744073709552000}]}',
    'rlimits.0.hard',
  ],
  ['an object for a list', '{"config":{"mounts":{}}}', 'config.mounts'],
])('decodeInitConfig refuses %s', (_what, text, path) => {
  expect(() => decodeInitConfig(text, 'runc-1.1')).toThrow(code('ERR_SYNC_MALFORMED_CONFIG', path));
});

test('decodeInitConfig reads as Go does: letter case, null, unknown members, zero elements', () => {
  const text =
    '{"ARGS":["a",null],"cwd":"/","CWD":null,"extra":1,"config":{"mounts":[null],"sysctl":{"k":null}},"network":null}';
  expect(decodeInitConfig(text, 'runc-1.1')).toEqual({
    args: ['a', ''],
    cwd: '/',
    config: { mounts: [{}], sysctl: { k: '' } },
  });
});

test('initConfigSchemas check a config that was made elsewhere', () => {
  expect(
    initConfigSchemas['runc-1.5'].safeParse({ uid: 0, rlimits: [{ hard: 2n ** 64n - 1n }] })
      .success,
  ).toBe(true);
  expect(initConfigSchemas['runc-1.5'].safeParse({ uid: '0' }).success).toBe(false);
});
