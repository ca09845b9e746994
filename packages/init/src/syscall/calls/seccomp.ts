import { syscallError } from '@pilotlight/scm-rights';
import type { Kernel } from '../kernel.ts';
import { SYS_seccomp } from '../number.ts';

const SECCOMP_SET_MODE_FILTER = 1;
/** No operation: fails with EINVAL. */
const NO_OPERATION = 0xff;
const NO_FD = -1;
const INSTRUCTION_BYTES = 8;
/** Digits of the highest descriptor number there can be. */
const MAX_DIGITS = 10;
const DIGIT_0 = 0x30;
const CLOSING_BRACE = 0x7d;

/** Filters of system calls, seccomp(2). From a filter on, every call must be one that it lets pass. */
export interface SeccompCalls {
  /** SECCOMP_SET_MODE_FILTER: `filter` is an array of struct sock_filter. Makes no other call, before or after. */
  setSeccompFilter(filter: Uint8Array, flags: number): void;
  /**
   * The same with SECCOMP_FILTER_FLAG_NEW_LISTENER among the flags; then writes the number of the
   * listener, which is close-on-exec, to `sync` as a packet: one write(2) and no other call, for
   * each could be one that waits for whoever listens.
   *
   * @param packet how the packet looks for descriptor 0: it ends in `0}`
   */
  setSeccompListener(filter: Uint8Array, flags: number, sync: number, packet: Uint8Array): void;
}

export function seccompCalls({ libc, integers }: Kernel): SeccompCalls {
  const write = libc.func('write', 'long', ['int', 'size_t', 'size_t']);
  // struct sock_fprog
  const program = Buffer.alloc(16);
  const programAddress = libc.address(program);
  const packetBuffer = Buffer.alloc(256);
  const packetAddress = libc.address(packetBuffer);

  const point = (filter: Uint8Array): void => {
    program.writeUInt16LE(filter.length / INSTRUCTION_BYTES, 0);
    program.writeBigUInt64LE(libc.address(filter), 8);
  };

  // Both are run with operands that fail before they are run for good: what V8 and koffi allocate
  // for a first call they allocate then. In between nothing may be allocated, see setSeccompListener.
  const load = (operation: number, flags: number): number =>
    integers(SYS_seccomp, operation, flags, programAddress, 0, 0);
  const tell = (sync: number, end: number, listener: number): number => {
    let digits = 1;
    for (let rest = listener; rest >= 10; rest = (rest / 10) | 0) digits++;
    let rest = listener;
    for (let at = end + digits - 1; at >= end; at--) {
      packetBuffer[at] = DIGIT_0 + (rest % 10);
      rest = (rest / 10) | 0;
    }
    packetBuffer[end + digits] = CLOSING_BRACE;
    return write(sync, packetAddress, end + digits + 1);
  };

  return {
    setSeccompFilter(filter, flags) {
      point(filter);
      if (load(SECCOMP_SET_MODE_FILTER, flags) === -1) throw loadError(libc.errno());
    },
    setSeccompListener(filter, flags, sync, packet) {
      const end = packet.length - 2;
      if (end + MAX_DIGITS + 1 > packetBuffer.length) throw new Error('the packet is too long');
      packetBuffer.set(packet);
      point(filter);
      load(NO_OPERATION, flags);
      tell(NO_FD, end, 0);
      const listener = load(SECCOMP_SET_MODE_FILTER, flags);
      if (listener === -1) throw loadError(libc.errno());
      if (tell(sync, end, listener) === -1) {
        throw syscallError(libc.errno(), 'write', 'the sync socket');
      }
    },
  };
}

function loadError(errno: number): Error {
  const EACCES = 13;
  const EBUSY = 16;
  const EINVAL = 22;
  const hints: Readonly<Record<number, string>> = {
    [EACCES]:
      'Loading a filter needs CAP_SYS_ADMIN in the user namespace, or process.noNewPrivileges.',
    [EBUSY]:
      'The process is under a filter with a listener already, and the kernel allows one: an outer container may have it.',
    [EINVAL]: 'The kernel does not take the filter or a flag of it; see seccomp(2), Errors.',
  };
  const hint = hints[errno];
  return syscallError(errno, 'seccomp', {
    path: 'SECCOMP_SET_MODE_FILTER',
    ...(hint === undefined ? {} : { hint }),
  });
}
