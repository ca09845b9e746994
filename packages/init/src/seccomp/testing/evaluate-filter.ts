import {
  BPF_AND,
  BPF_JUMP,
  BPF_JUMP_BITS_SET,
  BPF_JUMP_EQUAL,
  BPF_JUMP_GREATER,
  BPF_JUMP_GREATER_OR_EQUAL,
  BPF_LOAD_WORD,
  BPF_RETURN,
  decodeBpf,
} from '../bpf-instruction.ts';

/** A system call as a filter sees it. */
export type SeccompData = { nr: number; arch: number; args?: readonly bigint[] };

/** struct seccomp_data: nr, arch, instruction pointer, six arguments. */
function encodeData({ nr, arch, args = [] }: SeccompData): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setInt32(0, nr | 0, true);
  view.setUint32(4, arch, true);
  for (const [index, arg] of args.entries()) view.setBigUint64(16 + index * 8, arg, true);
  return view;
}

/**
 * What the filter returns for a system call, computed as the kernel does.
 *
 * @throws Error for what the kernel would not have loaded: an unknown instruction, a jump or a load
 *   out of bounds, an end without a return
 */
export function evaluateFilter(filter: Uint8Array, data: SeccompData): number {
  const program = decodeBpf(filter);
  const memory = encodeData(data);
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at]!;
    const jump = (holds: boolean): void => {
      at += holds ? jt : jf;
    };
    switch (code) {
      case BPF_LOAD_WORD:
        accumulator = memory.getUint32(k, true);
        break;
      case BPF_AND:
        accumulator = (accumulator & k) >>> 0;
        break;
      case BPF_JUMP:
        at += k;
        break;
      case BPF_JUMP_EQUAL:
        jump(accumulator === k);
        break;
      case BPF_JUMP_GREATER:
        jump(accumulator > k);
        break;
      case BPF_JUMP_GREATER_OR_EQUAL:
        jump(accumulator >= k);
        break;
      case BPF_JUMP_BITS_SET:
        jump((accumulator & k) !== 0);
        break;
      case BPF_RETURN:
        return k;
      default:
        throw new Error(`instruction ${at}: code 0x${code.toString(16)} is not known`);
    }
  }
  throw new Error('the program ends without a return');
}
