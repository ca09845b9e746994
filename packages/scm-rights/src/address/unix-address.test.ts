import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeUnixAddress,
  encodeUnixAddress,
  isAbstract,
  MAX_ADDRESS_BYTES,
} from './unix-address.ts';

const short = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((text) => new TextEncoder().encode(text).length <= MAX_ADDRESS_BYTES);

describe('encodeUnixAddress', () => {
  it('encodeUnixAddress writes a path with its closing NUL', () => {
    expect([...encodeUnixAddress('/a')]).toEqual([1, 0, 0x2f, 0x61, 0]);
  });

  it.each(['@ab', '\0ab'])(
    'encodeUnixAddress writes %j with a leading NUL and no other',
    (name) => {
      expect([...encodeUnixAddress(name)]).toEqual([1, 0, 0, 0x61, 0x62]);
    },
  );

  it.each([
    ['', 0],
    ['@', 0],
    [`/${'a'.repeat(107)}`, 108],
    [`@${'é'.repeat(54)}`, 108],
  ])('encodeUnixAddress refuses %j, which has %i bytes', (address, size) => {
    expect(() => encodeUnixAddress(address)).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_SOCKET_ADDRESS', size }),
    );
  });

  it.each(['/a\0b', '\ud800', '@\ud800'])('encodeUnixAddress refuses %j', (address) => {
    expect(() => encodeUnixAddress(address)).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_INVALID_STRING' }),
    );
  });

  it('encodeUnixAddress takes the longest there is', () => {
    expect(encodeUnixAddress('a'.repeat(107))).toHaveLength(110);
    expect(encodeUnixAddress(`@${'a'.repeat(107)}`)).toHaveLength(110);
  });
});

describe('decodeUnixAddress', () => {
  it('decodeUnixAddress gives back what encodeUnixAddress was given, abstract names with @', () => {
    fc.assert(
      fc.property(short, fc.boolean(), (name, abstract) => {
        fc.pre(abstract || (!isAbstract(name) && !name.includes('\0')));
        const address = abstract ? `@${name}` : name;
        expect(decodeUnixAddress(encodeUnixAddress(address))).toBe(address);
      }),
    );
  });

  it('decodeUnixAddress of a socket without address is undefined', () => {
    expect(decodeUnixAddress(new Uint8Array([1, 0]))).toBeUndefined();
    expect(decodeUnixAddress(new Uint8Array())).toBeUndefined();
    expect(decodeUnixAddress(new Uint8Array([1, 0, 0]))).toBeUndefined();
  });

  it('decodeUnixAddress never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 130 }), (bytes) => {
        expect(decodeUnixAddress(bytes)?.length ?? 0).toBeLessThanOrEqual(109);
      }),
    );
  });
});
