import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidArgError, MalformedArgError } from '../errors.ts';
import {
  decodeMountPlease,
  encodeMountPlease,
  mountPleaseSchema,
  type MountLayout,
  type MountPleaseArg,
} from './mount-please.ts';

const bind: MountPleaseArg = {
  source: '/src',
  destination: '/mnt',
  device: 'bind',
  flags: 20480,
  cleared_flags: 0,
  propagation_flags: [],
  data: '',
  relabel: 'z',
  extensions: 0,
};

test.each<[MountLayout, string]>([
  [
    'runc-1.2',
    '{"source":"/src","destination":"/mnt","device":"bind","flags":20480,"cleared_flags":0,"propagation_flags":null,"data":"","relabel":"z","rec_attr":null,"extensions":0}',
  ],
  [
    'runc-1.4',
    '{"source":"/src","destination":"/mnt","device":"bind","flags":20480,"relabel":"z"}',
  ],
  ['runc-1.5', '{"source":"/src","destination":"/mnt","device":"bind","flags":20480}'],
])('encodeMountPlease writes the members of layout %s', (layout, text) => {
  expect(encodeMountPlease(bind, layout)).toBe(text);
});

test('encodeMountPlease writes the newest layout unless told otherwise', () => {
  expect(encodeMountPlease(bind)).toBe(encodeMountPlease(bind, 'runc-1.5'));
});

test.each<[MountLayout, string]>([
  ['runc-1.2', '"id_mapping":{"recursive":false,"userns_path":"/proc/1/ns/user"}}'],
  ['runc-1.4', '"id_mapping":{"userns_path":"/proc/1/ns/user"}}'],
  ['runc-1.5', '"id_mapping":{"userns_path":"/proc/1/ns/user"}}'],
])('encodeMountPlease writes an id mapping without recursion in layout %s', (layout, end) => {
  const id_mapping = {
    recursive: false,
    userns_path: '/proc/1/ns/user',
    uid_mappings: [],
    gid_mappings: [],
  };
  expect(encodeMountPlease({ ...bind, id_mapping }, layout).endsWith(end)).toBe(true);
});

test('encodeMountPlease writes members in the order of runc, whatever order they are given in', () => {
  const mount: MountPleaseArg = {
    id_mapping: {
      gid_mappings: [{ size: 1, host_id: 2, container_id: 3 }],
      uid_mappings: [],
      userns_path: '',
      recursive: true,
    },
    rec_attr: { Userns_fd: 4n, Propagation: 3n, Attr_clr: 2n, Attr_set: 1n },
    ...bind,
  };
  expect(encodeMountPlease(mount)).toBe(
    '{"source":"/src","destination":"/mnt","device":"bind","flags":20480,"rec_attr":{"Attr_set":1,"Attr_clr":2,"Propagation":3,"Userns_fd":4},"id_mapping":{"recursive":true,"gid_mappings":[{"container_id":3,"host_id":2,"size":1}]}}',
  );
});

test('encodeMountPlease writes attributes in full and id maps in order', () => {
  const mount: MountPleaseArg = {
    ...bind,
    rec_attr: { Attr_set: 2n ** 64n - 1n, Attr_clr: 0n, Propagation: 0n, Userns_fd: 0n },
    id_mapping: {
      recursive: true,
      userns_path: '',
      uid_mappings: [{ container_id: 0, host_id: 100_000, size: 65_536 }],
      gid_mappings: [],
    },
  };
  expect(encodeMountPlease(mount)).toBe(
    '{"source":"/src","destination":"/mnt","device":"bind","flags":20480,"rec_attr":{"Attr_set":18446744073709551615,"Attr_clr":0,"Propagation":0,"Userns_fd":0},"id_mapping":{"recursive":true,"uid_mappings":[{"container_id":0,"host_id":100000,"size":65536}]}}',
  );
});

const anyMount: fc.Arbitrary<MountPleaseArg> = fc.record(
  {
    source: fc.string({ unit: 'binary' }),
    destination: fc.string(),
    device: fc.string(),
    flags: fc.maxSafeInteger(),
    cleared_flags: fc.nat(),
    propagation_flags: fc.array(fc.nat()),
    data: fc.string(),
    relabel: fc.constantFrom('', 'z', 'Z'),
    extensions: fc.nat(),
    rec_attr: fc.record({
      Attr_set: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      Attr_clr: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      Propagation: fc.bigInt({ min: 0n, max: 8n }),
      Userns_fd: fc.bigInt({ min: 0n, max: 2n ** 31n }),
    }),
    id_mapping: fc.record({
      recursive: fc.boolean(),
      userns_path: fc.string(),
      uid_mappings: fc.array(idMap()),
      gid_mappings: fc.array(idMap()),
    }),
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      'source',
      'destination',
      'device',
      'flags',
      'cleared_flags',
      'propagation_flags',
      'data',
      'relabel',
      'extensions',
    ],
  },
);

function idMap(): fc.Arbitrary<{ container_id: number; host_id: number; size: number }> {
  return fc.record({ container_id: fc.nat(), host_id: fc.maxSafeNat(), size: fc.maxSafeNat() });
}

test.each<MountLayout>(['runc-1.2', 'runc-1.4', 'runc-1.5'])(
  'decodeMountPlease gives back what encodeMountPlease wrote in layout %s',
  (layout) => {
    fc.assert(
      fc.property(anyMount, (mount) => {
        const relabel = layout === 'runc-1.5' ? '' : mount.relabel;
        expect(decodeMountPlease(encodeMountPlease(mount, layout))).toEqual({ ...mount, relabel });
      }),
    );
  },
);

const empty: MountPleaseArg = {
  source: '',
  destination: '',
  device: '',
  flags: 0,
  cleared_flags: 0,
  propagation_flags: [],
  data: '',
  relabel: '',
  extensions: 0,
};

test.each<[string, MountPleaseArg]>([
  ['{}', empty],
  [
    '{"source":null,"flags":null,"propagation_flags":null,"rec_attr":null,"id_mapping":null}',
    empty,
  ],
  ['{"Source":"/a","FLAGS":4096,"premount_cmds":null}', { ...empty, source: '/a', flags: 4096 }],
  [
    '{"id_mapping":{"Recursive":true,"uid_mappings":null,"gid_mappings":[{"HOST_ID":7,"size":null}]}}',
    {
      ...empty,
      id_mapping: {
        recursive: true,
        userns_path: '',
        uid_mappings: [],
        gid_mappings: [{ container_id: 0, host_id: 7, size: 0 }],
      },
    },
  ],
  [
    '{"rec_attr":{"attr_set":1,"Attr_clr":18446744073709551615}}',
    {
      ...empty,
      rec_attr: { Attr_set: 1n, Attr_clr: 2n ** 64n - 1n, Propagation: 0n, Userns_fd: 0n },
    },
  ],
])('decodeMountPlease fills in what %s leaves out', (raw, mount) => {
  expect(decodeMountPlease(raw)).toEqual(mount);
});

test('mountPleaseSchema fills in zero values', () => {
  expect(mountPleaseSchema.parse({})).toEqual(empty);
});

test.each([
  ['[]', 'expected an object, received an array'],
  ['null', 'expected an object, received null'],
  ['{"source":1}', 'at source: expected string, received 1'],
  ['{"flags":"4096"}', 'at flags: expected'],
  ['{"flags":1.5}', 'at flags: expected int, received 1.5'],
  ['{"propagation_flags":[1,"x"]}', 'at propagation_flags.1: expected'],
  ['{"rec_attr":{"Attr_set":18446744073709551616}}', 'at rec_attr.Attr_set: expected'],
  ['{"rec_attr":{"Attr_set":-1}}', 'at rec_attr.Attr_set: expected'],
  ['{"id_mapping":{"uid_mappings":[{"size":"1"}]}}', 'at id_mapping.uid_mappings.0.size: expected'],
  ['{"id_mapping":{"uid_mappings":{}}}', 'at id_mapping.uid_mappings: expected array'],
  ['{"source"', 'expected one JSON value'],
])('decodeMountPlease refuses %s', (raw, reason) => {
  expect(() => decodeMountPlease(raw)).toThrow(MalformedArgError);
  expect(() => decodeMountPlease(raw)).toThrow(reason);
});

test('encodeMountPlease refuses what JSON cannot hold', () => {
  expect(() => encodeMountPlease({ ...bind, flags: Infinity })).toThrow(InvalidArgError);
});
