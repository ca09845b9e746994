import {
  BPF_JUMP,
  BPF_JUMP_BITS_SET,
  BPF_JUMP_EQUAL,
  BPF_JUMP_GREATER,
  BPF_LOAD_WORD,
  BPF_RETURN,
  type BpfInstruction,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
} from './bpf-instruction.ts';
import { seccompActions } from './names.ts';

const ENOSYS = 38;
/** Marks a call of the x32 ABI, which shares its architecture with x86-64; asm/unistd.h. */
const X32_SYSCALL_BIT = 0x4000_0000;
const AUDIT_ARCH_X86_64 = 0xc000_003e;

/** The highest numbers that a profile names for one architecture, as the kernel calls it (AUDIT_ARCH_…). */
export type HighestSyscalls = {
  auditArch: number;
  /** Without the mark of x32. */
  highest?: number | undefined;
  /** With the mark of x32. */
  highestX32?: number | undefined;
};

/**
 * Instructions to put before a filter whose default is to refuse: a call with a higher number than
 * any that the profile names is answered with ENOSYS, all else goes on to the filter.
 *
 * A profile cannot know calls that are younger than itself. C libraries try those first and fall
 * back to older ones when ENOSYS says that the kernel has none; EPERM would end the program. The
 * same as runc's since 1.0.0-rc93 (libcontainer/seccomp/patchbpf), in a layout of our own.
 */
export function enosysStub(architectures: readonly HighestSyscalls[]): BpfInstruction[] {
  const known = architectures.filter(
    ({ highest, highestX32 }) => highest !== undefined || highestX32 !== undefined,
  );
  if (known.length === 0) return [];
  const sections = known.map(testsOf);
  const tests = sections.flat();
  // From the end of the tests: first the way into the filter, then the answer.
  const program: BpfInstruction[] = [{ code: BPF_LOAD_WORD, k: SECCOMP_DATA_ARCH }];
  let sectionStart = 0;
  for (const [index, { auditArch }] of known.entries()) {
    const toTests = known.length - index;
    program.push({ code: BPF_JUMP_EQUAL, k: auditArch, jt: toTests + sectionStart });
    sectionStart += sections[index]!.length;
  }
  program.push({ code: BPF_JUMP, k: tests.length + 1 });
  for (const [index, test] of tests.entries()) program.push(place(test, tests.length - index - 1));
  program.push({ code: BPF_RETURN, k: seccompActions.SCMP_ACT_ERRNO + ENOSYS });
  return program;
}

/** An instruction whose jumps may lead out of the tests. */
type Test = { code: number; k: number; jt?: Target; jf?: Target };
type Target = number | 'enosys' | 'filter';

function testsOf({ auditArch, highest, highestX32 }: HighestSyscalls): Test[] {
  const load: Test = { code: BPF_LOAD_WORD, k: SECCOMP_DATA_NR };
  const limit = (number: number): Test => ({
    code: BPF_JUMP_GREATER,
    k: number,
    jt: 'enosys',
    jf: 'filter',
  });
  const isX32 = (jt: Target, jf: Target): Test => ({
    code: BPF_JUMP_BITS_SET,
    k: X32_SYSCALL_BIT,
    jt,
    jf,
  });
  if (auditArch !== AUDIT_ARCH_X86_64) return [load, limit(highest!)];
  if (highestX32 === undefined) {
    // Calls of an ABI that the profile does not have are the filter's to refuse.
    return [load, isX32('filter', 0), limit(highest!)];
  }
  if (highest === undefined) return [load, isX32(0, 'filter'), limit(highestX32)];
  return [load, isX32(1, 0), limit(highest), limit(highestX32)];
}

/** @param after how many tests follow this one */
function place({ code, k, jt, jf }: Test, after: number): BpfInstruction {
  const distance = (target: Target = 0): number => {
    if (target === 'enosys') return after;
    return target === 'filter' ? after + 1 : target;
  };
  return { code, k, jt: distance(jt), jf: distance(jf) };
}
