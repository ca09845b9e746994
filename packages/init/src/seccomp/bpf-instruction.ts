// Classic BPF as seccomp takes it; linux/filter.h, linux/bpf_common.h: struct sock_filter.

export const BPF_LOAD_WORD = 0x20;
export const BPF_JUMP = 0x05;
export const BPF_JUMP_EQUAL = 0x15;
export const BPF_JUMP_GREATER = 0x25;
export const BPF_JUMP_GREATER_OR_EQUAL = 0x35;
export const BPF_JUMP_BITS_SET = 0x45;
export const BPF_AND = 0x54;
export const BPF_RETURN = 0x06;

export const BPF_INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS */
export const BPF_MAX_INSTRUCTIONS = 4096;

/** Offsets in struct seccomp_data. */
export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;

/** `jt` and `jf` are how many instructions a jump skips. */
export type BpfInstruction = { code: number; k: number; jt?: number; jf?: number };

/** The bytes of a program, in the byte order of x86-64 and arm64. */
export function encodeBpf(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * BPF_INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, k, jt = 0, jf = 0 }] of program.entries()) {
    const at = index * BPF_INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  }
  return bytes;
}

export function decodeBpf(bytes: Uint8Array): Required<BpfInstruction>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / BPF_INSTRUCTION_BYTES }, (_, index) => {
    const at = index * BPF_INSTRUCTION_BYTES;
    return {
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    };
  });
}
