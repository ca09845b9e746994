import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MalformedBootstrapError } from '../errors.ts';
import {
  bootstrapLayoutOfRunc,
  bootstrapLayouts,
  type BootstrapLayoutName,
} from './bootstrap-layout.ts';
import { namespaceTypes, type BootstrapMessage } from './bootstrap-message.ts';
import { bootstrapLength, decodeBootstrap } from './decode-bootstrap.ts';
import { encodeBootstrap, maxAttributeBytes } from './encode-bootstrap.ts';

const layoutNames = Object.keys(bootstrapLayouts) as BootstrapLayoutName[];
/** Bytes from hexadecimal, with text in quotes. */
function bytesOf(notation: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, text, hex] of notation.matchAll(/"([^"]*)"|([\da-f]{2})/g)) {
    if (hex === undefined) bytes.push(...new TextEncoder().encode(text?.replaceAll('\\n', '\n')));
    else bytes.push(Number.parseInt(hex, 16));
  }
  return Uint8Array.from(bytes);
}

const recorded: readonly [
  what: string,
  layouts: readonly BootstrapLayoutName[],
  message: BootstrapMessage,
  notation: string,
][] = [
  [
    'five new namespaces',
    ['runc-1.1', 'runc-1.2'],
    { cloneFlags: 0x6c02_0000, rootlessEuid: false },
    `20 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 00 00 02 6c 08 00 97 6a 00 00 00 00`,
  ],
  [
    'an exec into five namespaces',
    ['runc-1.1'],
    {
      cloneFlags: 0,
      nsPaths: (['ipc', 'uts', 'net', 'pid', 'mnt'] as const).map((type) => ({
        type,
        path: `/proc/3857/ns/${type}`,
      })),
      rootlessEuid: false,
    },
    `94 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00 08 00 91 6a 00 00 00 00 72 00 92 6a
     "ipc:/proc/3857/ns/ipc,uts:/proc/3857/ns/uts,net:/proc/3857/ns/net,pid:/proc/3857/ns/pid,mnt:/proc/3857/ns/mnt"
     00 00 00 08 00 97 6a 00 00 00 00`,
  ],
  [
    'a user namespace, a bind mount and an OOM score',
    ['runc-1.1'],
    {
      cloneFlags: 0x7e02_0000,
      uidMappings: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
      gidMappings: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
      setgroups: true,
      oomScoreAdj: 100,
      rootlessEuid: false,
      mountSources: ['', '', '', '', '', '', '/volumes/bind/1'],
    },
    `74 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 00 00 02 7e
     14 00 93 6a "0 100000 65536\\n" 00
     14 00 94 6a "0 100000 65536\\n" 00
     08 00 95 6a 01 00 00 00
     08 00 96 6a "100" 00
     08 00 97 6a 00 00 00 00
     1b 00 9a 6a 00 00 00 00 00 00 "/volumes/bind/1" 00 00 00`,
  ],
];

const specified: typeof recorded = [
  [
    'a join by pid with a terminal',
    ['runc-0.0.6'],
    { pid: 258, consolePath: '/dev/pts/3' },
    `28 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 02 01 00 00 0f 00 92 6a "/dev/pts/3" 00 00`,
  ],
  [
    'bare paths and an unpadded truth value',
    ['runc-0.0.9'],
    { cloneFlags: 0, nsPaths: [{ path: '/a' }, { path: '/b' }], setgroups: true },
    `29 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 00 00 00 00 0a 00 93 6a "/a,/b" 00 00 00 05 00 96 6a 01`,
  ],
  [
    'an attribute right behind an unpadded truth value',
    ['runc-1.0.0-rc4'],
    { cloneFlags: 0, setgroups: true, oomScoreAdj: -5, rootlessEuid: true },
    `2a 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 00 00 00 00 05 00 95 6a 01 07 00 96 6a "-5" 00 00 05 00 97 6a 01`,
  ],
  [
    'a new time namespace and helpers for the maps',
    ['runc-1.2'],
    {
      cloneFlags: 0x80,
      uidMapPath: '/u',
      uidMappings: [{ containerId: 0, hostId: 1, size: 1 }],
      gidMappings: [{ containerId: 0, hostId: 1, size: 1 }],
      gidMapPath: '/g',
      rootlessEuid: true,
      timeOffsets: [{ clock: 'monotonic', secs: -(2n ** 63n), nanosecs: 999_999_999 }],
    },
    `78 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00
     08 00 91 6a 80 00 00 00
     07 00 98 6a "/u" 00 00
     0b 00 93 6a "0 1 1\\n" 00 00
     0b 00 94 6a "0 1 1\\n" 00 00
     07 00 99 6a "/g" 00 00
     08 00 97 6a 01 00 00 00
     2e 00 9a 6a "monotonic -9223372036854775808 999999999\\n" 00 00 00`,
  ],
];

const examples = [...recorded, ...specified].flatMap(([what, layouts, message, notation]) =>
  layouts.map((layout) => [what, layout, message, bytesOf(notation)] as const),
);

test.each(examples)(
  'encodeBootstrap writes %s in the layout of %s',
  (_what, layout, message, bytes) => {
    expect(encodeBootstrap(message, layout)).toEqual(bytes);
  },
);

test.each(examples)(
  'decodeBootstrap reads %s in the layout of %s',
  (_what, layout, message, bytes) => {
    expect(decodeBootstrap(bytes, layout)).toEqual({ message, consumed: bytes.length });
  },
);

const path = fc.stringMatching(/^\/[^,\0\ud800-\udfff]{0,20}$/);
const id = fc.nat(0xffff_ffff);
const idMap = fc.array(fc.record({ containerId: id, hostId: id, size: id }), { minLength: 1 });

const anyMessage = fc.record(
  {
    cloneFlags: fc.nat(0xffff_ffff),
    nsPaths: fc
      .subarray([...namespaceTypes], { minLength: 1 })
      .chain((types) =>
        fc.tuple(...types.map((type) => fc.record({ type: fc.constant(type), path }))),
      ),
    uidMappings: idMap,
    gidMappings: idMap,
    uidMapPath: path,
    gidMapPath: path,
    setgroups: fc.constant(true),
    oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
    rootlessEuid: fc.boolean(),
    mountSources: fc.array(fc.oneof(path, fc.constant('')), { minLength: 1 }),
    timeOffsets: fc.array(
      fc.record({
        clock: fc.constantFrom('monotonic' as const, 'boottime' as const),
        secs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        nanosecs: fc.nat(999_999_999),
      }),
      { minLength: 1 },
    ),
    consolePath: path,
    pid: fc.nat(0x7fff_ffff),
  },
  { requiredKeys: ['cloneFlags', 'rootlessEuid', 'pid'] },
);

/** The message with only the members that the layout has. */
function fitted(message: object, layout: BootstrapLayoutName): BootstrapMessage {
  const { numbers, namesNamespaces } = bootstrapLayouts[layout];
  const entries = Object.entries(message).filter(([key]) => Object.hasOwn(numbers, key));
  const fit: BootstrapMessage = Object.fromEntries(entries);
  if (namesNamespaces || fit.nsPaths === undefined) return fit;
  return { ...fit, nsPaths: fit.nsPaths.map((one) => ({ path: one.path })) };
}

test.each(layoutNames)('decodeBootstrap gives back every message in the layout of %s', (layout) => {
  fc.assert(
    fc.property(anyMessage, fc.uint8Array(), (any, tail) => {
      const message = fitted(any, layout);
      const bytes = encodeBootstrap(message, layout);
      expect(decodeBootstrap(Uint8Array.of(...bytes, ...tail), layout)).toEqual({
        message,
        consumed: bytes.length,
      });
    }),
  );
});

test('decodeBootstrap refuses every truncation', () => {
  fc.assert(
    fc.property(anyMessage, (any) => {
      const bytes = encodeBootstrap(fitted(any, 'runc-1.2'), 'runc-1.2');
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => decodeBootstrap(bytes.subarray(0, length), 'runc-1.2')).toThrow(
          MalformedBootstrapError,
        );
      }
    }),
    { numRuns: 20 },
  );
}, 60_000);

test('encodeBootstrap joins namespaces in the order of the original, whatever the order given', () => {
  const nsPaths = namespaceTypes.map((type) => ({ type, path: `/${type}` }));
  const shuffled = nsPaths.toReversed();
  expect(encodeBootstrap({ nsPaths: shuffled }, 'runc-1.2')).toEqual(
    encodeBootstrap({ nsPaths }, 'runc-1.2'),
  );
});

test.each<[string, BootstrapLayoutName, BootstrapMessage]>([
  ['an attribute of another release', 'runc-1.1', { timeOffsets: [] }],
  ['another attribute of another release', 'runc-1.2', { mountSources: [''] }],
  ['clone flags where only a pid is known', 'runc-0.0.6', { cloneFlags: 0, pid: 1 }],
  ['no pid where it is all there is', 'runc-0.0.6', {}],
  ['clone flags beyond 32 bits', 'runc-1.2', { cloneFlags: 2 ** 32 }],
  ['clone flags below zero', 'runc-1.2', { cloneFlags: -1 }],
  ['a path with a comma', 'runc-1.2', { nsPaths: [{ type: 'net', path: '/a,b' }] }],
  ['an empty path', 'runc-1.2', { nsPaths: [{ type: 'net', path: '' }] }],
  ['a path with a zero byte', 'runc-1.2', { uidMapPath: '/a\0b' }],
  ['a path without a type', 'runc-1.2', { nsPaths: [{ path: '/a' }] }],
  ['a type where paths are bare', 'runc-0.0.9', { nsPaths: [{ type: 'net', path: '/a' }] }],
  [
    'two namespaces of a kind',
    'runc-1.2',
    {
      nsPaths: [
        { type: 'net', path: '/a' },
        { type: 'net', path: '/b' },
      ],
    },
  ],
  [
    'an id with a fraction',
    'runc-1.2',
    { uidMappings: [{ containerId: 0, hostId: 0.5, size: 1 }] },
  ],
  ['an OOM score out of range', 'runc-1.2', { oomScoreAdj: 1001 }],
  ['a mount source with a zero byte', 'runc-1.1', { mountSources: ['/a\0'] }],
  ['a lone surrogate', 'runc-1.2', { uidMapPath: '/\ud800' }],
  [
    'seconds that are not exact',
    'runc-1.2',
    { timeOffsets: [{ clock: 'boottime', secs: 2 ** 60, nanosecs: 0 }] },
  ],
  [
    'seconds beyond 64 bits',
    'runc-1.2',
    { timeOffsets: [{ clock: 'boottime', secs: 2n ** 63n, nanosecs: 0 }] },
  ],
  [
    'a whole second of nanoseconds',
    'runc-1.2',
    { timeOffsets: [{ clock: 'boottime', secs: 0, nanosecs: 1_000_000_000 }] },
  ],
])('encodeBootstrap refuses %s', (_what, layout, message) => {
  expect(() => encodeBootstrap(message, layout)).toThrow(
    expect.objectContaining({ code: 'ERR_SYNC_INVALID_BOOTSTRAP' }),
  );
});

test('encodeBootstrap passes the longest attribute and refuses a longer one', () => {
  const mountSources = [`/${'x'.repeat(maxAttributeBytes - 2)}`];
  const bytes = encodeBootstrap({ mountSources }, 'runc-1.1');
  expect(decodeBootstrap(bytes, 'runc-1.1').message.mountSources).toEqual(mountSources);
  expect(() => encodeBootstrap({ mountSources: [`${mountSources[0]}x`] }, 'runc-1.1')).toThrow(
    'it has 65531 bytes; an attribute holds 65530',
  );
});

const head = (length: number): string =>
  `${length.toString(16).padStart(2, '0')} 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00`;

test.each([
  ['another netlink type', '10 00 00 00 31 f2 01 00 01 00 00 00 00 00 00 00'],
  ['other netlink flags', '10 00 00 00 30 f2 00 00 01 00 00 00 00 00 00 00'],
  ['a length below its header', '0f 00 00 00 30 f2 01 00 01 00 00 00 00 00 00 00'],
  ['an unknown attribute', `${head(24)} 08 00 9b 6a 00 00 00 00`],
  ['an attribute that comes twice', `${head(32)} 08 00 91 6a 00 00 00 00 08 00 91 6a 00 00 00 00`],
  ['an attribute shorter than its header', `${head(24)} 03 00 91 6a 00 00 00 00`],
  ['an attribute that is longer than the rest', `${head(24)} 09 00 91 6a 00 00 00 00`],
  ['an attribute header that is cut', `${head(18)} 08 00`],
  ['a number of the wrong size', `${head(24)} 07 00 91 6a 00 00 00 00`],
  ['a truth value of one byte', `${head(24)} 05 00 97 6a 00 00 00 00`],
  ['a text without its zero byte', `${head(24)} 08 00 98 6a "abcd"`],
  ['a path with a zero byte in it', `${head(24)} 08 00 98 6a "a" 00 "b" 00`],
  ['a path that is not UTF-8', `${head(24)} 06 00 98 6a ff 00 00 00`],
  ['a namespace without a type', `${head(24)} 07 00 92 6a "/a" 00 00`],
  ['an id map that is none', `${head(24)} 08 00 93 6a "0 1" 00`],
  ['an id map whose last line does not end', `${head(28)} 0a 00 93 6a "0 1 1" 00 00 00`],
  ['an OOM score that is none', `${head(24)} 08 00 96 6a "1e3" 00`],
  ['an OOM score out of range', `${head(28)} 09 00 96 6a "1001" 00 00 00 00`],
  ['the offset of no clock', `${head(28)} 0a 00 9a 6a "x 1 1" 0a 00 00`],
])('decodeBootstrap refuses %s', (_what, notation) => {
  expect(() => decodeBootstrap(bytesOf(notation), 'runc-1.2')).toThrow(MalformedBootstrapError);
});

test('decodeBootstrap of another release takes the same number for another thing', () => {
  const bytes = encodeBootstrap({ mountSources: ['/a', ''] }, 'runc-1.1');
  expect(() => decodeBootstrap(bytes, 'runc-1.2')).toThrow(MalformedBootstrapError);
});

test('bootstrapLength tells how much to read', () => {
  expect(bootstrapLength(bytesOf('20 00 00'))).toBe(undefined);
  expect(bootstrapLength(bytesOf('20 01 00 00'))).toBe(0x120);
});

test.each([
  ['0.0.5', undefined],
  ['0.0.8', 'runc-0.0.6'],
  ['0.1.0', 'runc-0.0.9'],
  ['1.0.0-rc2', 'runc-0.0.9'],
  ['1.0.0-rc5', 'runc-1.0.0-rc5'],
  ['1.0.3', 'runc-1.0.0-rc6'],
  ['1.1.15', 'runc-1.1'],
  ['1.5.1', 'runc-1.2'],
  ['latest', undefined],
])('bootstrapLayoutOfRunc knows the layout of runc %s', (version, layout) => {
  expect(bootstrapLayoutOfRunc(version)).toBe(layout);
});
