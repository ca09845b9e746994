import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openFd } from '../open-fd.ts';
import { SeqpacketSocket } from '../seqpacket-socket.ts';
import { socketpair } from '../socketpair.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { memfdCreate, memfdFrom, memfdRead, memfdSeal, memfdSeals, memfdWrite } from './memfd.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('memfd', () => {
  it('memfdRead gives back what memfdFrom was given, any number of times', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10_000 }), (content) => {
        using memfd = memfdFrom('test', content);
        expect(memfdRead(memfd)).toEqual(content);
        expect(memfdRead(memfd.borrow())).toEqual(content);
      }),
    );
  });

  it('memfdFrom seals it for good', () => {
    using memfd = memfdFrom('test', bytes('fixed'));
    expect(memfdSeals(memfd)).toEqual(['write', 'grow', 'shrink', 'seal']);
    expect(() => memfdWrite(memfd, bytes('other'))).toThrow(/EPERM/);
    expect(() => memfdSeal(memfd, ['write'])).toThrow(
      expect.objectContaining({ code: 'EPERM', syscall: 'fcntl F_ADD_SEALS' }),
    );
  });

  it('memfdSeal forbids exactly what it is asked to', () => {
    using memfd = memfdCreate('test');
    expect(memfdSeals(memfd)).toEqual([]);
    memfdWrite(memfd, bytes('abc'));
    memfdSeal(memfd, ['grow']);
    memfdWrite(memfd, bytes('B'), 1);
    expect(() => memfdWrite(memfd, bytes('d'), 3)).toThrow(/EPERM/);
    expect(new TextDecoder().decode(memfdRead(memfd))).toBe('aBc');
    expect(memfdSeals(memfd)).toEqual(['grow']);
  });

  it('memfdRead refuses more than it is allowed to take', () => {
    using memfd = memfdFrom('test', bytes('four'));
    expect(() => memfdRead(memfd, { maxBytes: 3 })).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_INVALID_ARGUMENT' }),
    );
    expect(memfdRead(memfd, { maxBytes: 4 })).toHaveLength(4);
  });

  it('memfdSeals of a file that cannot have any is EINVAL', () => {
    using file = openFd('/dev/null', 0);
    expect(() => memfdSeals(file)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('memfdFrom carries what does not fit a packet', async () => {
    await withoutFdLeak(async () => {
      const [a, b] = socketpair('seqpacket').map((owned) => new SeqpacketSocket(owned));
      const large = new Uint8Array(5_000_000).fill(7);
      using memfd = memfdFrom('large', large);
      await a!.send(bytes('large'), [memfd]);
      const packet = await b!.receive();
      using passed = packet!.fds[0]!;
      expect(memfdSeals(passed)).toContain('write');
      expect(Buffer.from(large).equals(memfdRead(passed))).toBe(true);
      a!.close();
      b!.close();
    });
  });

  it('memfdCreate refuses a name that the kernel would not take as it is', () => {
    expect(() => memfdCreate('a\0b')).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_INVALID_STRING' }),
    );
    expect(() => memfdCreate('a'.repeat(250))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
