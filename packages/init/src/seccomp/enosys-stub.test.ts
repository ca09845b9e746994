import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BPF_RETURN, encodeBpf } from './bpf-instruction.ts';
import { enosysStub, type HighestSyscalls } from './enosys-stub.ts';
import { evaluateFilter } from './testing/evaluate-filter.ts';

const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;
const AARCH64 = 0xc000_00b7;
const X32_BIT = 0x4000_0000;
const ENOSYS = 0x0005_0000 + 38;
/** What the filter behind the stub answers. */
const FILTER = 0x1234;

function answer(architectures: HighestSyscalls[], nr: number, arch: number): number {
  const program = [...enosysStub(architectures), { code: BPF_RETURN, k: FILTER }];
  return evaluateFilter(encodeBpf(program), { nr, arch });
}

describe('enosysStub', () => {
  it.each([
    ['the highest number', 450, X86_64, FILTER],
    ['one more', 451, X86_64, ENOSYS],
    ['0', 0, X86_64, FILTER],
    ['a call of x32', X32_BIT + 451, X86_64, FILTER],
    ['a call that a tracer skips', -1, X86_64, FILTER],
    ['the highest of another architecture', 451, I386, FILTER],
    ['one more there', 452, I386, ENOSYS],
    ['an architecture that the profile has not', 10_000, AARCH64, FILTER],
  ])('enosysStub: %s', (_, nr, arch, expected) => {
    const architectures = [
      { auditArch: X86_64, highest: 450 },
      { auditArch: I386, highest: 451 },
    ];
    expect(answer(architectures, nr, arch)).toBe(expected);
  });

  it.each([
    [450, FILTER],
    [451, ENOSYS],
    [X32_BIT + 547, FILTER],
    [X32_BIT + 548, ENOSYS],
  ])('enosysStub tells x32 from x86-64: %i', (nr, expected) => {
    const both = [{ auditArch: X86_64, highest: 450, highestX32: X32_BIT + 547 }];
    expect(answer(both, nr, X86_64)).toBe(expected);
    const x32 = [{ auditArch: X86_64, highestX32: X32_BIT + 547 }];
    expect(answer(x32, nr, X86_64)).toBe(nr < X32_BIT ? FILTER : expected);
  });

  it('enosysStub is nothing where no architecture has any of the names', () => {
    expect(enosysStub([])).toEqual([]);
    expect(enosysStub([{ auditArch: X86_64 }])).toEqual([]);
  });

  it('enosysStub answers only what is above the highest number, for any set of architectures', () => {
    const number = fc.nat({ max: 1000 });
    const architectures = fc.uniqueArray(
      fc.record({ auditArch: fc.integer({ min: 0, max: 60 }), highest: fc.option(number) }),
      { selector: ({ auditArch }) => auditArch, maxLength: 40 },
    );
    fc.assert(
      fc.property(architectures, fc.nat({ max: 62 }), number, (list, arch, nr) => {
        const highest = list.find(({ auditArch }) => auditArch === arch)?.highest ?? Infinity;
        const stub = list.map(({ auditArch, highest: most }) => ({
          auditArch,
          highest: most ?? undefined,
        }));
        expect(answer(stub, nr, arch)).toBe(nr > highest ? ENOSYS : FILTER);
      }),
    );
  });
});
