import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeControl, decodeDescriptors } from './decode.ts';
import { encodeRights, encodeRightsInto } from './encode.ts';
import { cmsgAlign, cmsgLen, cmsgSpace } from './layout.ts';

const fds = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: 253 });

describe('layout', () => {
  it('cmsgSpace is the aligned cmsgLen and grows with the data', () => {
    fc.assert(
      fc.property(fc.nat(4096), (bytes) => {
        expect(cmsgSpace(bytes)).toBe(cmsgAlign(cmsgLen(bytes)));
        expect(cmsgSpace(bytes) % 8).toBe(0);
        expect(cmsgSpace(bytes + 8)).toBe(cmsgSpace(bytes) + 8);
      }),
    );
  });

  it('cmsgLen and cmsgSpace of one descriptor are 20 and 24', () => {
    expect([cmsgLen(4), cmsgSpace(4)]).toEqual([20, 24]);
  });
});

describe('encodeRights', () => {
  it('encodeRights writes the bytes the kernel expects for one descriptor', () => {
    expect(Buffer.from(encodeRights([7])).toString('hex')).toBe(
      ['1400000000000000', '01000000', '01000000', '07000000', '00000000'].join(''),
    );
  });

  it('encodeRights of none has no bytes', () => {
    expect(encodeRights([])).toHaveLength(0);
  });

  it('encodeRightsInto clears what an earlier use left in the padding', () => {
    const target = new Uint8Array(64).fill(0xff);
    const length = encodeRightsInto(target, [1]);
    expect([...target.subarray(20, length)]).toEqual([0, 0, 0, 0]);
  });
});

describe('decodeDescriptors', () => {
  it('decodeDescriptors gives back what encodeRights was given', () => {
    fc.assert(
      fc.property(fds, (list) => {
        expect(decodeDescriptors(encodeRights(list))).toEqual({ rights: list, added: [] });
      }),
    );
  });

  it('decodeDescriptors collects the descriptors of all SCM_RIGHTS messages in order', () => {
    fc.assert(
      fc.property(fc.array(fds, { maxLength: 5 }), (lists) => {
        const control = Buffer.concat(lists.map((list) => encodeRights(list)));
        expect(decodeDescriptors(control).rights).toEqual(lists.flat());
      }),
    );
  });

  it('decodeDescriptors of a cut buffer yields a prefix and never throws', () => {
    fc.assert(
      fc.property(fds, fc.nat(1100), (list, cut) => {
        const { rights } = decodeDescriptors(encodeRights(list).subarray(0, cut));
        expect(rights).toEqual(list.slice(0, rights.length));
        expect(rights).toHaveLength(Math.min(list.length, Math.max(0, Math.floor((cut - 16) / 4))));
      }),
    );
  });

  it('decodeDescriptors tells descriptors the kernel added by itself apart', () => {
    const credentials = encodeRights([1, 2, 3]);
    new DataView(credentials.buffer).setInt32(12, 2, true);
    const pidfd = encodeRights([9]);
    new DataView(pidfd.buffer).setInt32(12, 4, true);
    const control = Buffer.concat([credentials, encodeRights([5]), pidfd]);
    expect(decodeDescriptors(control)).toEqual({ rights: [5], added: [9] });
  });

  it('decodeControl ends on any bytes whatever', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeControl(bytes).length).toBeLessThanOrEqual(bytes.length / 16);
      }),
    );
  });
});
