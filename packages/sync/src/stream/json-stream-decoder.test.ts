import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSyncError } from '../errors.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { JsonValue } from '../json/json-value.ts';
import { JsonStreamDecoder } from './json-stream-decoder.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function decodeAll(pieces: readonly Uint8Array[], decoder = new JsonStreamDecoder()): string[] {
  const objects: string[] = [];
  for (const piece of pieces) decoder.push(piece, (object) => objects.push(object));
  decoder.end();
  return objects;
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (isSyncError(error)) return error.code;
    throw error;
  }
  throw new TypeError('the call succeeded, but had to fail');
}

const anyObject = fc
  .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue() as fc.Arbitrary<JsonValue>)
  .map((value) => stringifyExactJson(value));
const whitespace = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

/** The same bytes in pieces, cut at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  ends.sort((one, other) => one - other);
  let start = 0;
  return ends.map((end) => bytes.subarray(start, (start = end)));
}

test('JsonStreamDecoder gives the same objects however the bytes are cut', () => {
  const stream = fc.array(fc.tuple(whitespace, anyObject), { maxLength: 5 });
  fc.assert(
    fc.property(
      stream,
      whitespace,
      fc.array(fc.nat(), { maxLength: 20 }),
      (parts, tail, places) => {
        const bytes = bytesOf(parts.map(([space, object]) => space + object).join('') + tail);
        expect(decodeAll(cut(bytes, places))).toEqual(parts.map(([, object]) => object));
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

test('JsonStreamDecoder reads one byte at a time through characters and escapes', () => {
  const objects = ['{"message":"ä🚦\\u00e4\\"\\\\"}', '{"a":"}{][","b":[{}]}'];
  const bytes = bytesOf(objects.join(''));
  expect(decodeAll([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(objects);
});

test('JsonStreamDecoder does not keep the bytes it was given', () => {
  const decoder = new JsonStreamDecoder();
  const piece = bytesOf('{"type":"pro');
  decoder.push(piece, () => undefined);
  piece.fill(0);
  const objects: string[] = [];
  decoder.push(bytesOf('cRun"}'), (object) => objects.push(object));
  expect(objects).toEqual(['{"type":"procRun"}']);
});

test('JsonStreamDecoder refuses every truncation at the end of the stream', () => {
  const bytes = bytesOf('{"message":"ä\\n","list":[1,{"b":null}]}');
  for (let length = 1; length < bytes.length; length += 1) {
    const decoder = new JsonStreamDecoder();
    decoder.push(bytes.subarray(0, length), () => undefined);
    expect(decoder.pendingBytes).toBe(length);
    expect(codeOf(() => decoder.end())).toBe('ERR_SYNC_TRUNCATED');
    expect(codeOf(() => decoder.push(bytes, () => undefined))).toBe('ERR_SYNC_TRUNCATED');
  }
});

test.each([
  ['a bare word', 'null', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['an array', '[{}]', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a zero byte', '\0{}', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a comma between objects', ',{}', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['brackets that do not pair', '{]', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a trailing comma', '{"a":1,}', 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a raw newline in a string', '{"a":"\n"}', 'ERR_SYNC_MALFORMED_OBJECT'],
])('JsonStreamDecoder refuses %s, after the objects before it', (_what, text, code) => {
  const decoder = new JsonStreamDecoder();
  const objects: string[] = [];
  expect(
    codeOf(() => decoder.push(bytesOf(`{"n":1}${text}`), (object) => objects.push(object))),
  ).toBe(code);
  expect(objects).toEqual(['{"n":1}']);
  expect(codeOf(() => decoder.push(bytesOf('{}'), (object) => objects.push(object)))).toBe(code);
  expect(codeOf(() => decoder.pushOne(bytesOf('{}')))).toBe(code);
  expect(codeOf(() => decoder.end())).toBe(code);
  expect(objects).toEqual(['{"n":1}']);
});

test('JsonStreamDecoder refuses bytes that are not UTF-8', () => {
  const bytes = Uint8Array.of(...bytesOf('{"a":"'), 0xc3, ...bytesOf('"}'));
  expect(codeOf(() => decodeAll([bytes]))).toBe('ERR_SYNC_MALFORMED_OBJECT');
});

test('JsonStreamDecoder refuses nesting beyond its limit before the object ends', () => {
  const decoder = new JsonStreamDecoder();
  const deep = bytesOf(`{"a":${'['.repeat(1001)}`);
  expect(codeOf(() => decoder.push(deep, () => undefined))).toBe('ERR_SYNC_MALFORMED_OBJECT');
});

test('JsonStreamDecoder passes an object of exactly the limit and refuses one byte more', () => {
  const whole = `{"a":"${'x'.repeat(92)}"}`;
  expect(whole.length).toBe(100);
  for (const size of [1, 7, 100]) {
    const pieces = cut(
      bytesOf(whole + whole),
      Array.from({ length: 200 / size }, (_, n) => n * size),
    );
    expect(decodeAll(pieces, new JsonStreamDecoder({ maxObjectBytes: 100 }))).toEqual([
      whole,
      whole,
    ]);
    expect(codeOf(() => decodeAll(pieces, new JsonStreamDecoder({ maxObjectBytes: 99 })))).toBe(
      'ERR_SYNC_TOO_LARGE',
    );
  }
});

test('JsonStreamDecoder never holds more than its limit', () => {
  const decoder = new JsonStreamDecoder({ maxObjectBytes: 1000 });
  const piece = bytesOf('x'.repeat(10));
  decoder.push(bytesOf('{"a":"'), () => undefined);
  const sizes: number[] = [];
  const endless = (): void => {
    for (;;) {
      decoder.push(piece, () => undefined);
      sizes.push(decoder.bufferBytes);
    }
  };
  expect(codeOf(endless)).toBe('ERR_SYNC_TOO_LARGE');
  expect(sizes.length).toBe(99);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
});

test('JsonStreamDecoder grows its buffer by doubling, so that copying stays linear', () => {
  const decoder = new JsonStreamDecoder();
  decoder.push(bytesOf('{"a":"'), () => undefined);
  const sizes = new Set<number>();
  const piece = bytesOf('x');
  for (let sent = 0; sent < 200_000; sent += 1) {
    decoder.push(piece, () => undefined);
    sizes.add(decoder.bufferBytes);
  }
  expect(sizes.size).toBeLessThan(12);
}, 60_000);

test('JsonStreamDecoder holds nothing of the whitespace between objects', () => {
  const decoder = new JsonStreamDecoder({ maxObjectBytes: 10 });
  for (let sent = 0; sent < 100; sent += 1)
    decoder.push(bytesOf(' \n'.repeat(50)), () => undefined);
  expect([decoder.bufferBytes, decoder.pendingBytes]).toEqual([0, 0]);
});

test('JsonStreamDecoder.pushOne leaves what follows an object to the caller', () => {
  const decoder = new JsonStreamDecoder();
  expect(decoder.pushOne(bytesOf('{"pid"'))).toEqual({ consumed: 6 });
  expect(decoder.pushOne(bytesOf(':1}\n{"x"'))).toEqual({ object: '{"pid":1}', consumed: 3 });
});
