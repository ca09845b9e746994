import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileDeviceProgram } from './device-program.ts';
import { type DeviceRule, planDeviceRules } from './device-rules.ts';

type Wanted = { type: 'b' | 'c'; major: number; minor: number; access: string };

const bitsOf = (access: string): number =>
  (access.includes('m') ? 1 : 0) | (access.includes('r') ? 2 : 0) | (access.includes('w') ? 4 : 0);

/** Runs the program as the kernel would: the few instructions that it may consist of. */
function interpret(program: Uint8Array, { type, major, minor, access }: Wanted): boolean {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const context = [(bitsOf(access) << 16) | (type === 'b' ? 1 : 2), major, minor];
  const registers = Array.from({ length: 11 }, () => Number.NaN);
  const CONTEXT = -1;
  registers[1] = CONTEXT;
  for (let at = 0; ; at += 8) {
    const code = view.getUint8(at);
    const dst = view.getUint8(at + 1) & 0xf;
    const src = view.getUint8(at + 1) >> 4;
    const offset = view.getInt16(at + 2, true);
    const immediate = view.getInt32(at + 4, true);
    const value = registers[dst]!;
    switch (code) {
      case 0x61:
        if (registers[src] !== CONTEXT) throw new Error('loads from something else');
        registers[dst] = context[offset / 4]!;
        break;
      case 0x54:
        registers[dst] = value & immediate;
        break;
      case 0x74:
        registers[dst] = value >>> immediate;
        break;
      case 0xbc:
        registers[dst] = registers[src]!;
        break;
      case 0xb7:
        registers[dst] = immediate;
        break;
      case 0x15:
        if (value === immediate) at += offset * 8;
        break;
      case 0x55:
        if (value !== immediate) at += offset * 8;
        break;
      case 0x5d:
        if (value !== registers[src]) at += offset * 8;
        break;
      case 0x95:
        return registers[0] === 1;
      default:
        throw new Error(`instruction 0x${code.toString(16)}`);
    }
  }
}

/** The same question, asked of the rules themselves. */
function decide(rules: readonly DeviceRule[], wanted: Wanted): boolean {
  const last = rules.findLast(({ allow, type, major, minor, access }) => {
    const letters = Array.from(wanted.access);
    const touches = (letter: string): boolean => access.includes(letter);
    return (
      (type === 'a' || type === wanted.type) &&
      (major === undefined || major === wanted.major) &&
      (minor === undefined || minor === wanted.minor) &&
      (allow ? letters.every(touches) : letters.some(touches))
    );
  });
  return last?.allow ?? true;
}

const number = fc.integer({ min: 0, max: 3 });
const access = fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm');
const ruleOf: fc.Arbitrary<DeviceRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom('a', 'b', 'c'),
  major: fc.option(number, { nil: undefined }),
  minor: fc.option(number, { nil: undefined }),
  access,
});
const wantedOf: fc.Arbitrary<Wanted> = fc.record({
  type: fc.constantFrom('b', 'c'),
  major: number,
  minor: number,
  access,
});

describe('compileDeviceProgram', () => {
  it('compileDeviceProgram decides as the rules do', () => {
    fc.assert(
      fc.property(fc.array(ruleOf, { maxLength: 12 }), wantedOf, (rules, wanted) => {
        expect(interpret(compileDeviceProgram(rules), wanted)).toBe(decide(rules, wanted));
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[wanted: Wanted, allowed: boolean]>([
    [{ type: 'c', major: 1, minor: 3, access: 'rw' }, true],
    [{ type: 'c', major: 136, minor: 4711, access: 'rwm' }, true],
    [{ type: 'b', major: 8, minor: 0, access: 'm' }, true],
    [{ type: 'b', major: 8, minor: 0, access: 'r' }, false],
    [{ type: 'c', major: 1, minor: 1, access: 'r' }, false],
    [{ type: 'c', major: 5, minor: 1, access: 'w' }, false],
  ])('compileDeviceProgram answers %j with %s under the stock rules', (wanted, allowed) => {
    const program = compileDeviceProgram(planDeviceRules([{ allow: false, access: 'rwm' }]));
    expect(interpret(program, wanted)).toBe(allowed);
  });

  it('compileDeviceProgram allows everything where there is no rule', () => {
    expect(
      interpret(compileDeviceProgram([]), { type: 'b', major: 8, minor: 0, access: 'rwm' }),
    ).toBe(true);
  });
});
