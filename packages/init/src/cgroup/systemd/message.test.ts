import {
  array,
  assert,
  bigInt,
  boolean,
  constant,
  constantFrom,
  integer,
  letrec,
  nat,
  oneof,
  property,
  record,
  string,
  tuple,
  uint8Array,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DbusFormatError, type DbusValue, splitSignature } from './dbus-type.ts';
import { Marshaller } from './marshal.ts';
import { type DbusMessage, decodeMessage, encodeMessage, SIGNAL } from './message.ts';
import { Unmarshaller } from './unmarshal.ts';

type Typed = { signature: string; value: DbusValue };

const text = string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '0'));
const basic = oneof(
  integer({ min: 0, max: 255 }).map((value): Typed => ({ signature: 'y', value })),
  boolean().map((value): Typed => ({ signature: 'b', value })),
  integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value): Typed => ({ signature: 'i', value })),
  integer({ min: 0, max: 2 ** 32 - 1 }).map((value): Typed => ({ signature: 'u', value })),
  bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Typed => ({
    signature: 'x',
    value,
  })),
  bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Typed => ({ signature: 't', value })),
  text.map((value): Typed => ({ signature: 's', value })),
  uint8Array({ maxLength: 40 }).map((bytes): Typed => ({
    signature: 'ay',
    value: Buffer.from(bytes),
  })),
);
const { any } = letrec<{ any: Typed }>((tie) => ({
  any: oneof(
    { depthSize: 'small' },
    basic,
    tie('any').map((inner): Typed => ({ signature: 'v', value: inner })),
    array(tie('any'), { minLength: 1, maxLength: 3 }).map((members): Typed => ({
      signature: `(${members.map(({ signature }) => signature).join('')})`,
      value: members.map(({ value }) => value),
    })),
    tuple(tie('any'), integer({ min: 0, max: 4 }))
      .filter(([{ signature }]) => signature !== 'y')
      .map(([{ signature, value }, count]): Typed => ({
        signature: `a${signature}`,
        value: Array.from({ length: count }, () => value),
      })),
  ),
}));
const values = array(any, { maxLength: 4 });

const message = record({
  type: integer({ min: 1, max: 4 }),
  serial: integer({ min: 1, max: 2 ** 32 - 1 }),
  path: constant('/org/freedesktop/systemd1'),
  member: constantFrom('StartTransientUnit', 'JobRemoved'),
  replySerial: integer({ min: 1, max: 2 ** 32 - 1 }),
  typed: values,
})
  .map(({ typed, ...header }): DbusMessage => {
    const signature = typed.map((one) => one.signature).join('');
    return {
      ...header,
      ...(signature === '' ? {} : { signature }),
      body: typed.map(({ value }) => value),
    };
  })
  .filter(({ signature = '' }) => signature.length < 200);

function outcomeOf(bytes: Buffer): string {
  try {
    return decodeMessage(bytes) === undefined ? 'incomplete' : 'a message';
  } catch (error) {
    return error instanceof DbusFormatError ? 'no message' : 'another error';
  }
}

describe('decodeMessage', () => {
  it('decodeMessage reads what encodeMessage wrote, and knows how long it is', () => {
    assert(
      property(message, uint8Array({ maxLength: 9 }), (sent, more) => {
        const bytes = encodeMessage(sent);
        expect(decodeMessage(Buffer.concat([bytes, more]))).toEqual({
          message: sent,
          size: bytes.length,
        });
      }),
    );
  });

  it('decodeMessage waits for the rest of what is cut short', () => {
    assert(
      property(message, nat(), (sent, at) => {
        const bytes = encodeMessage(sent);
        expect(decodeMessage(bytes.subarray(0, at % bytes.length))).toBeUndefined();
      }),
    );
  });

  it('decodeMessage takes any bytes for a message, for the begin of one, or for none', () => {
    assert(
      property(
        message,
        array(tuple(nat(), integer({ min: 0, max: 255 })), { maxLength: 4 }),
        (sent, changes) => {
          const bytes = Buffer.from(encodeMessage(sent));
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          expect(outcomeOf(bytes)).not.toBe('another error');
        },
      ),
    );
  });

  it('decodeMessage reads the other byte order', () => {
    // A signal with the body "u" 258, as a big-endian peer writes it.
    const bytes = Buffer.concat([
      Buffer.from([0x42, SIGNAL, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0x20]),
      Buffer.from([3, 1, 0x73, 0, 0, 0, 0, 3, 0x48, 0x65, 0x79, 0, 0, 0, 0, 0]),
      Buffer.from([8, 1, 0x67, 0, 1, 0x75, 0, 0, 5, 1, 0x75, 0, 0, 0, 0, 7]),
      Buffer.from([0, 0, 1, 2]),
    ]);
    expect(decodeMessage(bytes)).toEqual({
      message: {
        type: SIGNAL,
        serial: 9,
        member: 'Hey',
        signature: 'u',
        replySerial: 7,
        body: [258],
      },
      size: bytes.length,
    });
  });

  it('decodeMessage refuses what is no D-Bus', () => {
    expect(() => decodeMessage(Buffer.from('HTTP/1.1 400 Bad Request'))).toThrow(DbusFormatError);
  });
});

describe('Marshaller', () => {
  it.each<[signature: string, value: DbusValue]>([
    ['y', 256],
    ['u', -1],
    ['t', 2n ** 64n],
    ['x', 1.5],
    ['b', 1],
    ['s', 'a\0b'],
    ['s', 7],
    ['as', 'text'],
    ['(su)', ['alone']],
    ['v', 'bare'],
  ])('Marshaller refuses a value that is no %s: %s', (signature, value) => {
    expect(() => new Marshaller().write(signature, [value])).toThrow(DbusFormatError);
  });

  it('Marshaller aligns the elements of an array and does not count the padding', () => {
    // D-Bus specification, "Marshaling Examples": an array of one 64-bit integer, here behind a byte.
    const { bytes } = new Marshaller().write('yax', [1, [5n]]);
    expect([...bytes]).toEqual([1, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    expect(new Unmarshaller(bytes, true).read('yax')).toEqual([1, [5n]]);
  });
});

describe('splitSignature', () => {
  it('splitSignature cuts a signature into complete types', () => {
    expect(splitSignature('ssa(sv)a(sa(sv))')).toEqual(['s', 's', 'a(sv)', 'a(sa(sv))']);
  });

  it.each(['a', '(', '(s', '()', 'z', `${'a'.repeat(70)}y`])(
    'splitSignature refuses %s',
    (signature) => {
      expect(() => splitSignature(signature)).toThrow(DbusFormatError);
    },
  );
});
