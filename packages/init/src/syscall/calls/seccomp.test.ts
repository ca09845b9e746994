import type { Libc, LibcArgument } from '@pilotlight/scm-rights/libc';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKernel } from '../kernel.ts';
import { SYS_seccomp } from '../number.ts';
import { type SeccompCalls, seccompCalls } from './seccomp.ts';

const EBADF = 9;
const EINVAL = 22;
const EACCES = 13;
const FLAGS = 8;
const SYNC = 4;
const filter = new Uint8Array(24);
const packet = new TextEncoder().encode('{"type":"procSeccomp","flags":0,"arg":0}');

/** A libc whose addresses are numbers of the memory they were taken of; it knows seccomp(2) and write(2). */
class FakeLibc {
  readonly calls: string[] = [];
  readonly #memory: ArrayBufferView[] = [];
  readonly #listener: number;
  readonly #failure: number;
  #errno = 0;

  constructor(listener: number, failure = 0) {
    this.#listener = listener;
    this.#failure = failure;
  }

  get asLibc(): Libc {
    const call = (name: string, ...args: LibcArgument[]): number => {
      if (name === 'write') return this.#write(args);
      const [number, operation, flags] = args;
      this.calls.push(`seccomp ${operation === 1 ? 'set' : 'none'} ${Number(flags)}`);
      expect(number).toBe(SYS_seccomp);
      if (operation !== 1) return this.#fail(EINVAL);
      return this.#failure === 0 ? this.#listener : this.#fail(this.#failure);
    };
    return {
      func: (name: string) => call.bind(undefined, name),
      errno: () => this.#errno,
      address: (memory: ArrayBufferView) => BigInt(this.#memory.push(memory) - 1),
      syscall: () => expect.unreachable(),
    } as unknown as Libc;
  }

  #write([fd, address, size]: LibcArgument[]): number {
    const { buffer, byteOffset } = this.#memory[Number(address)]!;
    const text = Buffer.from(buffer as ArrayBuffer, byteOffset, Number(size)).toString();
    this.calls.push(`write ${Number(fd)} ${text}`);
    return fd === -1 ? this.#fail(EBADF) : Number(size);
  }

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }
}

function callsOn(libc: FakeLibc): SeccompCalls {
  return seccompCalls(createKernel(libc.asLibc));
}

describe('seccompCalls', () => {
  it('setSeccompFilter makes one call', () => {
    const libc = new FakeLibc(0);
    callsOn(libc).setSeccompFilter(filter, 4);
    expect(libc.calls).toEqual(['seccomp set 4']);
  });

  it('setSeccompListener makes one write, of the number, after the filter is loaded', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat({ max: 1100 }), fc.nat({ max: 0x7fff_ffff })), (listener) => {
        const libc = new FakeLibc(listener);
        callsOn(libc).setSeccompListener(filter, FLAGS, SYNC, packet);
        expect(libc.calls).toEqual([
          // What fails, before anything is filtered.
          `seccomp none ${FLAGS}`,
          'write -1 {"type":"procSeccomp","flags":0,"arg":0}',
          `seccomp set ${FLAGS}`,
          `write ${SYNC} {"type":"procSeccomp","flags":0,"arg":${listener}}`,
        ]);
      }),
    );
  });

  it.each([
    [EACCES, 'EACCES', /CAP_SYS_ADMIN .* or process\.noNewPrivileges/],
    [EINVAL, 'EINVAL', /does not take the filter/],
  ])('setSeccompListener says why a filter was not loaded: errno %i', (errno, code, hint) => {
    const libc = new FakeLibc(0, errno);
    const calls = callsOn(libc);
    const expected = expect.objectContaining({
      code,
      syscall: 'seccomp',
      hint: expect.stringMatching(hint),
    });
    expect(() => calls.setSeccompFilter(filter, 4)).toThrow(expected);
    expect(() => calls.setSeccompListener(filter, FLAGS, SYNC, packet)).toThrow(expected);
    expect(libc.calls.at(-1)).toBe(`seccomp set ${FLAGS}`);
  });
});
