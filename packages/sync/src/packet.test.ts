import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSyncError, MalformedPacketError, type SyncError } from './errors.ts';
import { stringifyExactJson } from './json/stringify.ts';
import type { JsonValue } from './json/json-value.ts';
import { decodePacket, encodePacket, maxPacketBytes } from './packet.ts';
import type { SyncMessage } from './sync-message.ts';
import { syncTypeNames, syncTypes, type SyncType } from './sync-type.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function errorOf(call: () => unknown): SyncError {
  try {
    call();
  } catch (error) {
    if (isSyncError(error)) return error;
    throw error;
  }
  throw new TypeError('the call succeeded, but had to fail');
}

const anyArg = fc
  .oneof(
    fc.jsonValue() as fc.Arbitrary<JsonValue>,
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
  )
  .map((value) => stringifyExactJson(value))
  .filter((text) => text !== 'null');

const anyMessage: fc.Arbitrary<SyncMessage> = fc
  .record({ type: fc.constantFrom(...syncTypeNames), arg: anyArg, high: fc.nat(0x3fff_ffff) })
  .map(({ type, arg, high }) => {
    const rule = syncTypes[type];
    const flags = high * 2 + (rule.file === 'mandatory' ? 1 : 0);
    return rule.arg === 'mandatory' ? { type, flags, arg } : { type, flags };
  });

test('decodePacket gives back what encodePacket was given', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      expect(decodePacket(encodePacket(message))).toEqual(message);
    }),
  );
});

test('decodePacket refuses every truncation of a packet', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const bytes = encodePacket(message);
      for (let length = 0; length < bytes.byteLength; length += 1) {
        const { code } = errorOf(() => decodePacket(bytes.subarray(0, length)));
        expect(code).toBe('ERR_SYNC_MALFORMED_PACKET');
      }
    }),
    { numRuns: 30 },
  );
}, 60_000);

function decodedOrRefused(bytes: Uint8Array): SyncMessage | undefined {
  try {
    return decodePacket(bytes);
  } catch (error) {
    if (error instanceof MalformedPacketError) return undefined;
    throw error;
  }
}

test('decodePacket throws nothing but errors of its own, whatever the bytes', () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 200 }).map(bytesOf),
    fc.json().map(bytesOf),
    // A valid packet with a few bytes changed reaches further than noise does.
    fc
      .tuple(anyMessage, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([message, changes]) => {
        const bytes = encodePacket(message).slice();
        for (const [position, value] of changes) bytes[position % bytes.length] = value;
        return bytes;
      }),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      const message = decodedOrRefused(bytes);
      // What it accepts, the encoder accepts too.
      expect(message && decodePacket(encodePacket(message))).toEqual(message);
    }),
    { numRuns: 2000 },
  );
}, 60_000);

test.each([
  ['{"flags":0,"type":"procRun"}', { type: 'procRun', flags: 0 }],
  ['{"type":"procRun"}', { type: 'procRun', flags: 0 }],
  [' \t\r\n{ "type" : "procRun" , "flags" : 0 } \n', { type: 'procRun', flags: 0 }],
  ['{"TYPE":"procRun","Flags":2}', { type: 'procRun', flags: 2 }],
  ['{"type":"procRun","flag\u017f":4}', { type: 'procRun', flags: 4 }],
  ['{"type":"procReady","Type":"procRun"}', { type: 'procRun', flags: 0 }],
  ['{"type":"procRun","type":null,"flags":null,"arg":null}', { type: 'procRun', flags: 0 }],
  ['{"type":"procRun","arg":1,"arg":null}', { type: 'procRun', flags: 0 }],
  ['{"type":"procRun","extra":{"a":[1,{}]},"fd":-1}', { type: 'procRun', flags: 0 }],
  ['{"type":"procRun","flags":-0}', { type: 'procRun', flags: 0 }],
  ['{"t\\u0079pe":"proc\\u0052un"}', { type: 'procRun', flags: 0 }],
  ['{"type":"procSeccomp","arg": 6 }', { type: 'procSeccomp', flags: 0, arg: '6' }],
  [
    '{"arg":{ "message" : "\\u003c" },"type":"procError"}',
    { type: 'procError', flags: 0, arg: '{ "message" : "\\u003c" }' },
  ],
  [
    '{"type":"procSeccomp","arg":18446744073709551615}',
    { type: 'procSeccomp', flags: 0, arg: '18446744073709551615' },
  ],
])('decodePacket reads %s as Go does', (text, message) => {
  const decoded = decodePacket(bytesOf(text));
  expect(decoded).toEqual(message);
  expect(Object.is(decoded.flags, -0)).toBe(false);
});

test.each([
  ['{"message":"bad config"}', '{"message":"bad config"}'],
  [' {"Message":"x","ECode":10}\n', '{"Message":"x","ECode":10}'],
  ['{"type":null,"message":"x"}', '{"type":null,"message":"x"}'],
])('decodePacket takes %s for an error that was not announced', (text, arg) => {
  expect(decodePacket(bytesOf(text))).toEqual({ type: 'procError', flags: 0, arg });
});

test.each([
  ['nothing', ''],
  ['whitespace', ' '],
  ['an array', '[]'],
  ['a string', '"procRun"'],
  ['null', 'null'],
  ['an object without type', '{}'],
  ['an object whose type is null', '{"type":null}'],
  ['an unknown type', '{"type":"procConsole","flags":0}'],
  ['a type in another letter case', '{"type":"procrun","flags":0}'],
  ['the name of an inherited property', '{"type":"toString","flags":0}'],
  ['a number as type', '{"type":3}'],
  ['a second packet behind the first', '{"type":"procRun"}{"type":"procRun"}'],
  ['text behind the object', '{"type":"procRun"}x'],
  ['flags as text', '{"type":"procRun","flags":"0"}'],
  ['flags with a fraction', '{"type":"procRun","flags":0.0}'],
  ['flags with an exponent', '{"type":"procRun","flags":1e0}'],
  ['flags below zero', '{"type":"procRun","flags":-2}'],
  ['flags beyond 31 bits', '{"type":"procRun","flags":2147483648}'],
  ['flags as an object', '{"type":"procRun","flags":{}}'],
  ['a wrong type before a right one', '{"type":1,"type":"procRun"}'],
  ['a trailing comma', '{"type":"procRun",}'],
  ['a single-quoted key', "{'type':'procRun'}"],
  ['a raw control character in a string', '{"type":"procRun","x":"\n"}'],
  ['a number with a leading zero', '{"type":"procSeccomp","arg":01}'],
  ['an argument that is cut', '{"type":"procSeccomp","arg":}'],
  ['a byte order mark', '\ufeff{"type":"procRun"}'],
])('decodePacket refuses %s', (_what, text) => {
  expect(errorOf(() => decodePacket(bytesOf(text)))).toMatchObject({
    code: 'ERR_SYNC_MALFORMED_PACKET',
    fileFollows: false,
  });
});

test('decodePacket refuses bytes that are not UTF-8', () => {
  const bytes = bytesOf('{"type":"procError","arg":{"message":"?"}}');
  bytes[bytes.indexOf(0x3f)] = 0xe4;
  expect(errorOf(() => decodePacket(bytes)).message).toBe('decode a sync packet: it is not UTF-8');
});

test('decodePacket refuses nesting that would exhaust a recursive reader', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const error = errorOf(() => decodePacket(bytesOf(`{"type":"procError","arg":${deep}}`)));
  expect(error.code).toBe('ERR_SYNC_MALFORMED_PACKET');
  expect(error.message.length).toBeLessThan(400);
});

const withoutArg = syncTypeNames.filter((type) => syncTypes[type].arg === 'forbidden');
const withArg = syncTypeNames.filter((type) => syncTypes[type].arg === 'mandatory');
const withoutFile = syncTypeNames.filter((type) => syncTypes[type].file === 'forbidden');

test.each(withoutArg)('decodePacket and encodePacket refuse an argument on %s', (type) => {
  expect(conflictOf({ type, flags: 0, arg: '{}' })).toEqual(bothRefuse(false));
});

test.each(withArg)('decodePacket and encodePacket refuse %s without its argument', (type) => {
  const flags = syncTypes[type].file === 'mandatory' ? 1 : 0;
  expect(conflictOf({ type, flags })).toEqual(bothRefuse(flags === 1));
});

test.each(withoutFile)('decodePacket and encodePacket refuse a file bit on %s', (type) => {
  const arg = syncTypes[type].arg === 'mandatory' ? { arg: '1' } : {};
  expect(conflictOf({ type, flags: 1, ...arg })).toEqual(bothRefuse(true));
});

test('decodePacket and encodePacket refuse procMountFd without its file bit', () => {
  const message: SyncMessage = { type: 'procMountFd', flags: 0, arg: '{"type":"open_tree"}' };
  expect(conflictOf(message)).toEqual(bothRefuse(false));
});

function conflictOf(message: SyncMessage): unknown {
  const arg = message.arg === undefined ? '' : `,"arg":${message.arg}`;
  const text = `{"type":"${message.type}","flags":${message.flags}${arg}}`;
  const decoding = errorOf(() => decodePacket(bytesOf(text)));
  return {
    decoding: decoding.code,
    fileFollows: decoding instanceof MalformedPacketError && decoding.fileFollows,
    encoding: errorOf(() => encodePacket(message)).code,
  };
}

function bothRefuse(fileFollows: boolean): unknown {
  return {
    decoding: 'ERR_SYNC_MALFORMED_PACKET',
    fileFollows,
    encoding: 'ERR_SYNC_INVALID_MESSAGE',
  };
}

test('decodePacket says that a file follows a packet with an unknown type', () => {
  const error = errorOf(() => decodePacket(bytesOf('{"type":"procNew","arg":1,"flags":1}')));
  expect(error).toMatchObject({ fileFollows: true });
  expect(error.message).toBe('decode a sync packet: unknown type "procNew"');
});

test.each([
  ['an unknown type', { type: 'procResume' as SyncType, flags: 0 }],
  ['the name of an inherited property', { type: 'constructor' as SyncType, flags: 0 }],
  ['flags below zero', { type: 'procRun', flags: -2 }],
  ['flags with a fraction', { type: 'procRun', flags: 0.5 }],
  ['flags that are no number', { type: 'procRun', flags: Number.NaN }],
  ['flags beyond 31 bits', { type: 'procRun', flags: 2 ** 31 }],
  ['an argument that is no JSON', { type: 'procError', flags: 0, arg: '{' }],
  ['an empty argument', { type: 'procError', flags: 0, arg: '' }],
  ['two values as argument', { type: 'procError', flags: 0, arg: '1,"type":"procRun"' }],
  ['whitespace around the argument', { type: 'procError', flags: 0, arg: ' {}' }],
  ['whitespace behind the argument', { type: 'procError', flags: 0, arg: '{} ' }],
  ['a null argument', { type: 'procError', flags: 0, arg: 'null' }],
  ['a lone surrogate', { type: 'procError', flags: 0, arg: '"\ud800"' }],
  ['an argument that is no text', { type: 'procError', flags: 0, arg: {} as unknown as string }],
] satisfies [string, SyncMessage][])('encodePacket refuses %s', (_what, message) => {
  expect(errorOf(() => encodePacket(message)).code).toBe('ERR_SYNC_INVALID_MESSAGE');
});

test('encodePacket writes the argument as it was given', () => {
  const arg = '{ "message":"\\u003cä\\/","n":18446744073709551615 }';
  expect(textOf(encodePacket({ type: 'procError', flags: 0, arg }))).toBe(
    `{"type":"procError","flags":0,"arg":${arg}}`,
  );
});

test('encodePacket and decodePacket pass maxPacketBytes and refuse one byte more', () => {
  const frame = '{"type":"procError","flags":0,"arg":""}'.length;
  const message = (extra: number): SyncMessage => ({
    type: 'procError',
    flags: 0,
    arg: `"${'x'.repeat(maxPacketBytes - frame + extra)}"`,
  });
  const bytes = encodePacket(message(0));
  expect(bytes.byteLength).toBe(maxPacketBytes);
  expect(decodePacket(bytes)).toEqual(message(0));
  expect(errorOf(() => encodePacket(message(1)))).toMatchObject({
    code: 'ERR_SYNC_TOO_LARGE',
    sizeBytes: maxPacketBytes + 1,
    limitBytes: maxPacketBytes,
  });
  const beyond = new Uint8Array(maxPacketBytes + 1);
  expect(errorOf(() => decodePacket(beyond)).code).toBe('ERR_SYNC_TOO_LARGE');
});

test('decodePacket and encodePacket need no schema library', () => {
  const seen = new Set<string>();
  const visit = (file: URL): void => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    const source = readFileSync(file, 'utf8');
    for (const [, kind, from = ''] of source.matchAll(
      /^(?:import|export)( type)?[^;]*? from '([^']+)';/gms,
    )) {
      if (kind !== undefined) continue;
      expect(from.startsWith('.'), `${file.pathname} imports ${from}`).toBe(true);
      visit(new URL(from, file));
    }
  };
  visit(new URL('packet.ts', import.meta.url));
  expect([...seen].some((href) => href.endsWith('/json/scan.ts'))).toBe(true);
});
