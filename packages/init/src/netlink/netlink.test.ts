import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refuseFailure } from './answer.ts';
import {
  decodeAck,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  type NetlinkAttribute,
} from './message.ts';
import { addAddress, type InterfaceAddress, keptAddresses, moveLink } from './route.ts';

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
const family = bytes(0, 8).map((header) =>
  Buffer.concat([header, Buffer.alloc((4 - (header.length % 4)) % 4)]),
);
const header = fc.record({ type: uint(16), flags: uint(16), sequence: uint(32) });
/** Each type once: decodeAttributes keeps the last of those that repeat. */
const attributes: fc.Arbitrary<NetlinkAttribute[]> = fc.uniqueArray(
  fc.tuple(uint(14), bytes(0, 40)),
  { selector: ([type]) => type, maxLength: 6 },
);

describe('encodeMessage', () => {
  it('encodeMessage makes what decodeMessages and decodeAttributes read', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(header, family, attributes)), (messages) => {
        const datagram = Buffer.concat(
          messages.map(([fields, head, list]) => encodeMessage(fields, head, list)),
        );
        const decoded = decodeMessages(datagram);
        expect(decoded).toHaveLength(messages.length);
        for (const [index, [fields, head, list]] of messages.entries()) {
          const { payload, ...rest } = decoded[index]!;
          expect(rest).toEqual(fields);
          expect(payload.subarray(0, head.length)).toEqual(head);
          expect([...decodeAttributes(payload.subarray(head.length))]).toEqual(list);
        }
      }),
    );
  });

  it('encodeMessage lays a request out as the kernel’s headers do', () => {
    expect(moveLink(7, 3, 20, 'eth0').toString('hex')).toBe(
      `34000000 1000 0500 07000000 00000000
       00000000 03000000 00000000 00000000
       0800 1c00 14000000
       0900 0300 6574683000 000000`.replaceAll(/\s/g, ''),
    );
  });
});

const problemOf = (decode: () => unknown): string => {
  try {
    decode();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('decodeMessages', () => {
  it('decodeMessages and decodeAttributes end on whatever bytes there are, and stay inside', () => {
    fc.assert(
      fc.property(bytes(0, 200), (datagram) => {
        expect(problemOf(() => decodeMessages(datagram))).toMatch(/^$|is cut short$/);
        expect(problemOf(() => decodeAttributes(datagram))).toMatch(/^$|is cut short$/);
      }),
    );
  });

  it.each([15, 16, 17, 19])(
    'decodeMessages refuses a message that says less or more, %i',
    (length) => {
      const message = encodeMessage({ type: 1, flags: 0, sequence: 0 }, Buffer.alloc(4));
      message.writeUInt32LE(length === 16 ? 21 : length === 17 ? 0xffff_ffff : 3, 0);
      expect(() => decodeMessages(message)).toThrow(/cut short/);
    },
  );
});

describe('decodeAck', () => {
  const request = encodeMessage({ type: 16, flags: 5, sequence: 9 }, Buffer.alloc(16));
  const ack = (errno: number, flags: number, rest: Uint8Array) => {
    const error = Buffer.alloc(4);
    error.writeInt32LE(-errno);
    const message = encodeMessage(
      { type: 2, flags, sequence: 9 },
      Buffer.concat([error, rest]),
      (flags & 0x200) === 0 ? [] : [[1, Buffer.from('no such thing\0')]],
    );
    return decodeMessages(message)[0]!;
  };

  it('decodeAck reads the errno, and the remark behind the whole or the capped request', () => {
    expect(decodeAck(ack(0, 0, request))).toEqual({ errno: 0, text: undefined });
    expect(decodeAck(ack(19, 0x200, request))).toEqual({ errno: 19, text: 'no such thing' });
    const capped = request.subarray(0, 16);
    expect(decodeAck(ack(17, 0x300, capped))).toEqual({ errno: 17, text: 'no such thing' });
  });

  it('refuseFailure throws what the kernel refuses, with its words', () => {
    expect(() => refuseFailure(ack(17, 0x300, request.subarray(0, 16)), 'eth0')).toThrow(
      expect.objectContaining({
        code: 'EEXIST',
        path: 'eth0',
        hint: 'The kernel says: no such thing',
      }),
    );
    const fine = ack(0, 0, request);
    expect(refuseFailure(fine, 'eth0')).toBe(fine);
  });
});

describe('keptAddresses', () => {
  const v4: InterfaceAddress = {
    family: 2,
    prefixLength: 24,
    local: '0a000001',
    address: '0a000001',
    broadcast: '0a0000ff',
    flags: 0x200,
  };
  const PERMANENT = 0x80;
  const reported = (index: number, flags: number, scope = 0) => {
    const message = addAddress(1, index, { ...v4, flags: v4.flags | flags });
    message.writeUInt8(scope, 16 + 3);
    return decodeMessages(message)[0]!;
  };

  it('keptAddresses keeps permanent addresses of global scope of that interface', () => {
    const messages = [
      reported(2, PERMANENT),
      reported(3, PERMANENT),
      reported(2, 0),
      reported(2, PERMANENT, 253),
    ];
    expect(keptAddresses(messages, 2)).toEqual([v4]);
  });
});
