import type { DeviceRule } from './device-rules.ts';

// The device controller of cgroup v2 is a BPF program that the kernel asks before each open and
// mknod of a device. Its context, linux/bpf.h: struct bpf_cgroup_dev_ctx.
const CTX_ACCESS_TYPE = 0;
const CTX_MAJOR = 4;
const CTX_MINOR = 8;
const DEVICE_BLOCK = 1;
const DEVICE_CHARACTER = 2;
const accessBits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

// Instructions, linux/bpf.h and the kernel's Documentation/bpf/standardization/instruction-set.rst.
const LOAD_WORD = 0x61;
const AND32_IMMEDIATE = 0x54;
const SHIFT_RIGHT32_IMMEDIATE = 0x74;
const MOVE32_REGISTER = 0xbc;
const MOVE64_IMMEDIATE = 0xb7;
const JUMP_IF_EQUAL_IMMEDIATE = 0x15;
const JUMP_IF_NOT_EQUAL_IMMEDIATE = 0x55;
const JUMP_IF_NOT_EQUAL_REGISTER = 0x5d;
const EXIT = 0x95;
const INSTRUCTION_BYTES = 8;

const RESULT = 0;
const CONTEXT = 1;
/** Free once everything is loaded from the context. */
const SCRATCH = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

type Instruction = {
  code: number;
  dst?: number;
  src?: number;
  offset?: number;
  immediate?: number;
};
/** A jump to the end of its rule; the distance is known once the rule is complete. */
type Test = Omit<Instruction, 'offset'>;

/**
 * The rules as a BPF program of type CGROUP_DEVICE: returns 1 to allow, 0 to deny.
 *
 * A later rule overrides an earlier one, so the last one is asked first. An allowing rule must
 * cover the whole of what is wanted; a denying one stops whatever touches it. What no rule speaks
 * of is allowed, as in a fresh v1 cgroup.
 */
export function compileDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const program: Instruction[] = [
    { code: LOAD_WORD, dst: TYPE, src: CONTEXT, offset: CTX_ACCESS_TYPE },
    { code: AND32_IMMEDIATE, dst: TYPE, immediate: 0xffff },
    { code: LOAD_WORD, dst: ACCESS, src: CONTEXT, offset: CTX_ACCESS_TYPE },
    { code: SHIFT_RIGHT32_IMMEDIATE, dst: ACCESS, immediate: 16 },
    { code: LOAD_WORD, dst: MAJOR, src: CONTEXT, offset: CTX_MAJOR },
    { code: LOAD_WORD, dst: MINOR, src: CONTEXT, offset: CTX_MINOR },
  ];
  for (const rule of rules.toReversed()) {
    program.push(...compileRule(rule));
    // The verifier refuses instructions that can never be reached.
    if (isCatchAll(rule)) return encode(program);
  }
  program.push(...verdict(true));
  return encode(program);
}

const isCatchAll = (rule: DeviceRule): boolean => testsOf(rule).length === 0;

function compileRule(rule: DeviceRule): Instruction[] {
  const tests = testsOf(rule);
  const end = verdict(rule.allow);
  return [
    ...tests.map((test, index) =>
      isJump(test) ? { ...test, offset: tests.length - index - 1 + end.length } : test,
    ),
    ...end,
  ];
}

const isJump = ({ code }: Test): boolean =>
  code === JUMP_IF_EQUAL_IMMEDIATE ||
  code === JUMP_IF_NOT_EQUAL_IMMEDIATE ||
  code === JUMP_IF_NOT_EQUAL_REGISTER;

function testsOf({ allow, type, major, minor, access }: DeviceRule): Test[] {
  const tests: Test[] = [];
  const mustBe = (register: number, immediate: number): void =>
    void tests.push({ code: JUMP_IF_NOT_EQUAL_IMMEDIATE, dst: register, immediate });
  if (type !== 'a') mustBe(TYPE, type === 'b' ? DEVICE_BLOCK : DEVICE_CHARACTER);
  if (major !== undefined) mustBe(MAJOR, major);
  if (minor !== undefined) mustBe(MINOR, minor);
  const bits = Object.entries(accessBits).reduce(
    (sum, [letter, bit]) => (access.includes(letter) ? sum | bit : sum),
    0,
  );
  if (bits !== ALL_ACCESS) {
    tests.push(
      { code: MOVE32_REGISTER, dst: SCRATCH, src: ACCESS },
      { code: AND32_IMMEDIATE, dst: SCRATCH, immediate: bits },
      allow
        ? { code: JUMP_IF_NOT_EQUAL_REGISTER, dst: SCRATCH, src: ACCESS }
        : { code: JUMP_IF_EQUAL_IMMEDIATE, dst: SCRATCH, immediate: 0 },
    );
  }
  return tests;
}

const verdict = (allow: boolean): Instruction[] => [
  { code: MOVE64_IMMEDIATE, dst: RESULT, immediate: allow ? 1 : 0 },
  { code: EXIT },
];

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, dst = 0, src = 0, offset = 0, immediate = 0 }] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    view.setUint8(at, code);
    view.setUint8(at + 1, (src << 4) | dst);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, immediate, true);
  }
  return bytes;
}
